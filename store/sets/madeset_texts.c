/* SPDX-License-Identifier: MIT */
/* Two texts of a set: the manifest, and what is left out. */
#include "store/base/array.h"
#include "store/base/json.h"
#include "store/sets/madeset_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int madeset_add_lack(struct madeset *s, bool counts, char *words)
{
    if (!words || !array_grow(&s->lacks, s->nlacks)) {
        free(words);
        return -ENOMEM;
    }
    s->lacks[s->nlacks++] = (struct madeset_lack){words, counts};
    return 0;
}

/* Lines for people; a name is as it is. */
static void texts_add_omission(struct buffer *out, const struct omission *o)
{
    char rest[100];
    snprintf(rest, sizeof(rest), ": %s, %" PRIu64 " files, %" PRIu64 " bytes\n",
             omission_why_name(o->why), o->files, o->bytes);
    buffer_string(out, o->name);
    buffer_string(out, rest);
}

void madeset_left_out(const struct madeset *s, struct buffer *out)
{
    const struct omissions *left_out = capture_left_out(madeshards_capture(s->shards));
    for (size_t i = 0; i < s->nlacks; i++) {
        buffer_string(out, s->lacks[i].words);
        buffer_string(out, "\n");
    }
    for (size_t i = 0; i < left_out->n; i++)
        texts_add_omission(out, &left_out->at[i]);
}

static struct json_object *texts_shard(const struct madeset *s, const struct madeset_file *f)
{
    const struct shard_files *shard = shards_at(madeshards_list(s->shards), f->of.shard);
    struct json_object *o = json_object_new_object();
    json_add_text(o, "database", shard->db);
    json_add_text(o, "policy", shard->rp);
    json_add_count(o, "shardID", f->of.id);
    json_add_text(o, "fileName", f->name);
    json_add_count(o, "size", f->size);
    json_add_count(o, "lastModified", 0);
    return o;
}

int madeset_manifest(const struct madeset *s, struct buffer *out, struct err *e)
{
    struct json_object *o = json_object_new_object();
    struct json_object *meta = json_object_new_object(), *files = json_object_new_array();
    char name[MADESET_BASE + 8];
    snprintf(name, sizeof(name), "%s.meta", s->base);
    json_add_text(meta, "fileName", name);
    json_add_count(meta, "size", s->nmeta);
    json_add(o, "meta", meta);
    json_add_bool(o, "limited", true); /* no users, no queries: it must not replace a store */
    json_add_bool(o, "whole", !s->query.cut);
    for (size_t i = 0; i < s->n; i++)
        if (s->files[i].kind == MADESET_SHARD)
            json_object_array_add(files, texts_shard(s, &s->files[i]));
    json_add(o, "files", files);
    if (s->db)
        json_add_text(o, "database", s->db);
    const char *text = json_object_to_json_string_ext(
        o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text)
        buffer_string(out, text);
    json_object_put(o);
    return text && !out->failed ? 0 : err_sys(e, -ENOMEM, "the manifest of a set");
}
