/* SPDX-License-Identifier: MIT */
#include "store/snapshot/manifest_text.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int manifest_text_room(struct manifest_text *t, size_t n)
{
    if (n <= t->cap)
        return 0;
    char *p = realloc(t->buf, n * 2);
    if (!p)
        return -ENOMEM;
    t->buf = p;
    t->cap = n * 2;
    return 0;
}

/* Puts the object into *t, without its last brace if something follows, without its first if
 * something comes before; and frees it. */
static int manifest_text_put(struct json_object *o, const char *before, const char *after,
                             struct manifest_text *t)
{
    const char *text =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    size_t skip = *before != 0, n = text ? strlen(text) - 1 : 0;
    size_t all = strlen(before) + n + strlen(after);
    int r = text ? manifest_text_room(t, all + 1) : -ENOMEM;
    if (r == 0)
        stpcpy(stpncpy(stpcpy(t->buf, before), text + skip, n), after);
    json_object_put(o);
    return r < 0 ? r : (int)all;
}

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

int manifest_text_head(const struct manifest *m, struct manifest_text *t)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    json_object_object_add(o, "version", json_object_new_int(1));
    json_object_object_add(o, "id", json_object_new_string(m->id));
    json_object_object_add(o, "kind", json_object_new_string(manifest_kind_name(m->kind)));
    if (m->chain)
        json_object_object_add(o, "chain", json_object_new_string(m->chain));
    json_object_object_add(o, "parent", text_or_null(m->parent));
    json_object_object_add(o, "number", m->number < 0 ? NULL : json_object_new_int64(m->number));
    json_object_object_add(o, "created", json_object_new_string(m->created));
    if (m->wall)
        json_object_object_add(o, "wall", json_object_new_string(m->wall));
    json_object_object_add(o, "host", json_text(m->host));
    json_object_object_add(o, "index", json_object_new_uint64(m->index));
    json_object_object_add(o, "skew_ns", json_object_new_int64(m->skew_ns));
    return manifest_text_put(o, "", ",\"files\":[", t);
}

/* Names of members stay exact, whatever bytes they are: a chain is applied by them. */
static void add_names(struct json_object *o, const char *key, char *const *names, size_t n,
                      struct json_object *(*make)(const char *text))
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < n; i++)
        json_object_array_add(list, make(names[i]));
    json_object_object_add(o, key, list);
}

int manifest_text_tail(const struct manifest *m, struct manifest_text *t)
{
    struct json_object *o = json_object_new_object();
    struct json_object *left_out = omissions_json(&m->left_out);
    if (!o || !left_out) {
        json_object_put(o);
        json_object_put(left_out);
        return -ENOMEM;
    }
    add_names(o, "removed", m->removed, m->nremoved, json_object_new_string);
    if (m->chain || m->nremoved_folders)
        add_names(o, "removed_folders", m->removed_folders, m->nremoved_folders,
                  json_object_new_string);
    if (m->lists_folders)
        add_names(o, "folders", m->folders, m->nfolders, json_object_new_string);
    if (m->nlinks)
        add_names(o, "links", m->links, m->nlinks, json_text);
    json_object_object_add(o, "left_out", left_out);
    return manifest_text_put(o, "\n],", "\n", t);
}

bool manifest_text_is_plain(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == '"' || *name == '\\' || *name == 0x7f)
            return false;
    return true;
}

static const char file_format[] =
    "%s{\"name\":%s,\"size\":%" PRIu64 ",\"index\":%" PRIu64 ",\"mtime_ns\":%" PRId64 "}";
/* What of that does not vary, with the quotes of a plain name. */
#define FILE_FIXED (sizeof("{\"name\":\"\",\"size\":,\"index\":,\"mtime_ns\":}") - 1)

static int quote(const char *path, char **out)
{
    if (manifest_text_is_plain(path))
        return asprintf(out, "\"%s\"", path) < 0 ? -ENOMEM : 0;
    struct json_object *o = json_object_new_string(path);
    const char *text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
    *out = text ? strdup(text) : NULL;
    json_object_put(o);
    return *out ? 0 : -ENOMEM;
}

int manifest_text_file(const struct manifest_file *f, bool first, struct manifest_text *t)
{
    autofree char *name = NULL;
    int r = quote(f->name, &name);
    if (r == 0)
        r = manifest_text_room(t, strlen(name) + 128);
    return r < 0 ? r
                 : sprintf(t->buf, file_format, first ? "\n" : ",\n", name, f->size, f->index,
                           f->mtime_ns);
}

static size_t digits(uint64_t n)
{
    size_t d = 1;
    for (; n >= 10; n /= 10)
        d++;
    return d;
}

int manifest_text_file_length(const struct manifest_file *f, size_t len, bool first)
{
    return (int)(FILE_FIXED + len + digits(f->size) + digits(f->index) +
                 digits((uint64_t)f->mtime_ns) + (first ? 1 : 2));
}
