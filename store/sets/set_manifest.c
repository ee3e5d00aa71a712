/* SPDX-License-Identifier: MIT */
#include "store/sets/set_manifest.h"

#include "store/base/cleanup.h"
#include "store/sets/set_name.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MOST (UINT64_C(1) << 50) /* of a file that any disk could hold */

static void put_json(struct json_object **o)
{
    json_object_put(*o);
}

static void free_tokener(struct json_tokener **t)
{
    if (*t)
        json_tokener_free(*t);
}

/* The document; NULL if the bytes are not exactly one object. */
static struct json_object *set_manifest_json(const char *text, size_t len)
{
    cleanup(free_tokener) struct json_tokener *t = json_tokener_new();
    if (!t || len > SET_MANIFEST_MAX)
        return NULL;
    json_tokener_set_flags(t, JSON_TOKENER_STRICT);
    cleanup(put_json) struct json_object *o = json_tokener_parse_ex(t, text, (int)len);
    if (!o || !json_object_is_type(o, json_type_object))
        return NULL;
    for (size_t i = json_tokener_get_parse_end(t); i < len; i++)
        if (!text[i] || !strchr(" \t\r\n", text[i]))
            return NULL;
    return steal_ptr(&o);
}

static struct json_object *member(struct json_object *o, const char *key, enum json_type type)
{
    struct json_object *v;
    return o && json_object_object_get_ex(o, key, &v) && json_object_is_type(v, type) ? v : NULL;
}

static bool set_manifest_flag(struct json_object *o, const char *key)
{
    struct json_object *v = member(o, key, json_type_boolean);
    return v && json_object_get_boolean(v);
}

/* A copy of the text; NULL in *out if it is not there, or holds a NUL. */
static int get_text(struct json_object *o, const char *key, char **out)
{
    struct json_object *v = member(o, key, json_type_string);
    const char *s = v ? json_object_get_string(v) : NULL;
    if (!s || strlen(s) != (size_t)json_object_get_string_len(v))
        return -EBADMSG;
    *out = strdup(s);
    return *out ? 0 : -ENOMEM;
}

static int get_number(struct json_object *o, const char *key, uint64_t most, uint64_t *out)
{
    struct json_object *v = member(o, key, json_type_int);
    if (!v || json_object_get_int64(v) < 0 || json_object_get_uint64(v) > most)
        return -EBADMSG;
    *out = json_object_get_uint64(v);
    return 0;
}

/* The name of a file beside the manifest. */
static int get_name(struct json_object *o, char **out, struct err *e)
{
    int r = get_text(o, "fileName", out);
    if (r == -ENOMEM)
        return err_sys(e, r, "manifest");
    if (r < 0)
        return err_set(e, r, "damaged: a `fileName` is missing");
    return set_name_plain(*out)
               ? 0
               : err_set(e, -EBADMSG, "hostile: it names %s, which is no file of its folder", *out);
}

static int set_manifest_read_meta(struct json_object *root, struct set_manifest *m, struct err *e)
{
    struct json_object *meta = member(root, "meta", json_type_object);
    if (!meta)
        return err_set(e, -EBADMSG, "not the manifest of a portable backup: it has no `meta`");
    int r = get_name(meta, &m->meta, e);
    if (r == 0 && get_number(meta, "size", SIZE_MOST, &m->meta_size) < 0)
        r = err_set(e, -EBADMSG, "damaged: the size of %s", m->meta);
    return r;
}

static int set_manifest_read_file(struct json_object *o, struct set_manifest *m, struct err *e)
{
    struct set_manifest_file *f = &m->files[m->nfiles++];
    int r = o && json_object_is_type(o, json_type_object)
                ? get_name(o, &f->name, e)
                : err_set(e, -EBADMSG, "damaged: an entry of `files`");
    if (r < 0)
        return r;
    if ((r = get_text(o, "database", &f->db)) == 0)
        r = get_text(o, "policy", &f->rp);
    if (r == -ENOMEM)
        return err_sys(e, r, "manifest");
    if (r < 0 || get_number(o, "shardID", UINT64_MAX, &f->shard) < 0 ||
        get_number(o, "size", SIZE_MOST, &f->size) < 0)
        return err_set(e, -EBADMSG, "damaged: the entry of %s", f->name);
    return 0;
}

static int by_shard(const void *a, const void *b)
{
    const struct set_manifest_file *x = a, *y = b;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
}

static int by_name(const void *a, const void *b)
{
    const struct set_manifest_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Leaves them sorted by shard. */
static int set_manifest_check_twice(struct set_manifest *m, struct err *e)
{
    if (m->nfiles == 0)
        return 0;
    qsort(m->files, m->nfiles, sizeof(*m->files), by_name);
    for (size_t i = 1; i < m->nfiles; i++)
        if (by_name(&m->files[i - 1], &m->files[i]) == 0)
            return err_set(e, -EBADMSG, "damaged: it names %s twice", m->files[i].name);
    qsort(m->files, m->nfiles, sizeof(*m->files), by_shard);
    for (size_t i = 1; i < m->nfiles; i++)
        if (by_shard(&m->files[i - 1], &m->files[i]) == 0)
            return err_set(e, -EBADMSG, "damaged: it names shard %llu twice",
                           (unsigned long long)m->files[i].shard);
    return 0;
}

static int set_manifest_read(struct json_object *root, struct set_manifest *m, struct err *e)
{
    int r = set_manifest_read_meta(root, m, e);
    if (r < 0)
        return r;
    struct json_object *list = member(root, "files", json_type_array), *none;
    if (!list && json_object_object_get_ex(root, "files", &none) && !none)
        return 0; /* null, where there are none */
    if (!list)
        return err_set(e, -EBADMSG, "damaged: `files` is missing");
    const size_t n = json_object_array_length(list);
    m->files = calloc(n + 1, sizeof(*m->files));
    if (!m->files)
        return err_sys(e, -ENOMEM, "manifest");
    for (size_t i = 0; r == 0 && i < n; i++)
        r = set_manifest_read_file(json_object_array_get_idx(list, i), m, e);
    return r == 0 ? set_manifest_check_twice(m, e) : r;
}

int set_manifest_parse(const char *text, size_t len, struct set_manifest *out, struct err *e)
{
    struct set_manifest m = {0};
    cleanup(put_json) struct json_object *root = set_manifest_json(text, len);
    int r = root ? set_manifest_read(root, &m, e)
                 : err_set(e, -EBADMSG, "damaged: it is not one object of JSON");
    m.limited = set_manifest_flag(root, "limited");
    m.whole = set_manifest_flag(root, "whole");
    if (r < 0)
        set_manifest_clear(&m);
    else
        *out = m;
    return r;
}

void set_manifest_clear(struct set_manifest *m)
{
    for (size_t i = 0; i < m->nfiles; i++) {
        free(m->files[i].db);
        free(m->files[i].rp);
        free(m->files[i].name);
    }
    free(m->files);
    free(m->meta);
    *m = (struct set_manifest){0};
}
