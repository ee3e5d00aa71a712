/* SPDX-License-Identifier: MIT */
#include "store/snapshot/manifest_text.h"

#include "store/base/json.h"
#include "store/snapshot/manifest_selection.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* Appends the object and frees it. Drops its last brace if text follows, its first if text
 * precedes. */
static void manifest_text_put(struct json_object *o, const char *before, const char *after,
                              struct buffer *out)
{
    const char *text =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    out->failed |= !text;
    buffer_string(out, before);
    if (text)
        buffer_add(out, text + (*before != 0), strlen(text) - 1);
    buffer_string(out, after);
    json_object_put(o);
}

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

void manifest_text_head(const struct manifest *m, struct buffer *out)
{
    struct json_object *o = json_object_new_object();
    if (!o) {
        out->failed = true;
        return;
    }
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
    if (m->selection)
        json_object_object_add(o, "selection", manifest_selection_json(m->selection));
    manifest_text_put(o, "", ",\"files\":[", out);
}

/* Member names stay exact, whatever their bytes: chains are applied by name. */
static void add_names(struct json_object *o, const char *key, char *const *names, size_t n,
                      struct json_object *(*make)(const char *text))
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < n; i++)
        json_object_array_add(list, make(names[i]));
    json_object_object_add(o, key, list);
}

void manifest_text_tail(const struct manifest *m, struct buffer *out)
{
    struct json_object *o = json_object_new_object();
    struct json_object *left_out = o ? omissions_json(&m->left_out) : NULL;
    if (!left_out) {
        json_object_put(o);
        out->failed = true;
        return;
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
    manifest_text_put(o, "\n],", "\n", out);
}

bool manifest_text_is_plain(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == '"' || *name == '\\' || *name == 0x7f)
            return false;
    return true;
}

static void manifest_text_quote(const char *path, struct buffer *out)
{
    if (manifest_text_is_plain(path)) {
        buffer_add(out, "\"", 1);
        buffer_string(out, path);
        buffer_add(out, "\"", 1);
        return;
    }
    struct json_object *o = json_object_new_string(path);
    const char *text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
    out->failed |= !text;
    buffer_string(out, text ? text : "");
    json_object_put(o);
}

void manifest_text_file(const struct manifest_file *f, bool first, struct buffer *out)
{
    char numbers[128];
    snprintf(numbers, sizeof(numbers),
             ",\"size\":%" PRIu64 ",\"index\":%" PRIu64 ",\"mtime_ns\":%" PRId64 "}", f->size,
             f->index, f->mtime_ns);
    buffer_string(out, first ? "\n{\"name\":" : ",\n{\"name\":");
    manifest_text_quote(f->name, out);
    buffer_string(out, numbers);
}

static size_t digits(uint64_t n)
{
    size_t d = 1;
    for (; n >= 10; n /= 10)
        d++;
    return d;
}

/* The fixed part of a line, with the quotes of a plain name. */
#define FILE_FIXED (sizeof("{\"name\":\"\",\"size\":,\"index\":,\"mtime_ns\":}") - 1)

size_t manifest_text_file_length(const struct manifest_file *f, size_t len, bool first)
{
    return FILE_FIXED + len + digits(f->size) + digits(f->index) + digits((uint64_t)f->mtime_ns) +
           (first ? 1 : 2);
}

int manifest_write(const struct manifest *m, char **text, size_t *len)
{
    struct buffer b = {0};
    manifest_text_head(m, &b);
    for (size_t i = 0; i < m->nfiles; i++)
        manifest_text_file(&m->files[i], i == 0, &b);
    manifest_text_tail(m, &b);
    buffer_add(&b, "", 1);
    if (b.failed) {
        buffer_free(&b);
        return -ENOMEM;
    }
    *text = b.p;
    *len = b.n - 1;
    return 0;
}
