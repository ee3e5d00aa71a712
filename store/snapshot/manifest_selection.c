/* SPDX-License-Identifier: MIT */
#include "store/snapshot/manifest_selection.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"

#include <errno.h>

/* Names stay exact, as those of members do: databases are found by them. */
static void put_names(struct json_object *o, const char *key, const char *const *names, size_t n)
{
    struct json_object *list = n ? json_object_new_array() : NULL;
    for (size_t i = 0; list && i < n; i++)
        json_object_array_add(list, json_object_new_string(names[i]));
    if (n)
        json_add(o, key, list);
}

static void put_ids(struct json_object *o, const char *key, const uint64_t *ids, size_t n)
{
    struct json_object *list = n ? json_object_new_array() : NULL;
    for (size_t i = 0; list && i < n; i++)
        json_object_array_add(list, json_object_new_uint64(ids[i]));
    if (n)
        json_add(o, key, list);
}

struct json_object *manifest_selection_json(const struct selection *s)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return NULL;
    put_names(o, "databases", s->databases, s->ndatabases);
    put_names(o, "exclude", s->exclude, s->nexclude);
    if (s->rp)
        json_add(o, "rp", json_object_new_string(s->rp));
    put_ids(o, "shards", s->shards, s->nshards);
    if (s->from != INT64_MIN)
        json_add(o, "from_ns", json_object_new_int64(s->from));
    if (s->to != INT64_MAX)
        json_add(o, "to_ns", json_object_new_int64(s->to));
    if (s->exact)
        json_add_bool(o, "exact", true);
    return o;
}

/* A name without control bytes; NULL: it is none. */
static const char *name_of(struct json_object *v)
{
    const char *s = v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return NULL;
    return *s ? s : NULL;
}

/* The list of a key; *list stays NULL where it is absent. */
static int list_of(struct json_object *o, const char *key, struct json_object **list)
{
    *list = NULL;
    return !json_object_object_get_ex(o, key, list) ||
                   (*list && json_object_is_type(*list, json_type_array))
               ? 0
               : -EBADMSG;
}

static int selection_get_names(struct json_object *o, const char *key, const char ***out, size_t *n)
{
    struct json_object *list;
    int r = list_of(o, key, &list);
    size_t len = r == 0 && list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < len; i++) {
        const char *name = name_of(json_object_array_get_idx(list, i));
        if (!name)
            return -EBADMSG;
        if (!array_grow(out, *n))
            return -ENOMEM;
        (*out)[(*n)++] = name;
    }
    return r;
}

static int selection_get_ids(struct json_object *o, const char *key, uint64_t **out, size_t *n)
{
    struct json_object *list;
    int r = list_of(o, key, &list);
    size_t len = r == 0 && list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < len; i++) {
        struct json_object *v = json_object_array_get_idx(list, i);
        if (!v || !json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
            return -EBADMSG;
        if (!array_grow(out, *n))
            return -ENOMEM;
        (*out)[(*n)++] = json_object_get_uint64(v);
    }
    return r;
}

static int get_time(struct json_object *o, const char *key, int64_t *out)
{
    struct json_object *v;
    if (!json_object_object_get_ex(o, key, &v))
        return 0;
    if (!v || !json_object_is_type(v, json_type_int))
        return -EBADMSG;
    *out = json_object_get_int64(v);
    return 0;
}

static int selection_get_rest(struct json_object *o, struct selection *s)
{
    struct json_object *v;
    if (json_object_object_get_ex(o, "rp", &v) && !(s->rp = name_of(v)))
        return -EBADMSG;
    if (json_object_object_get_ex(o, "exact", &v)) {
        if (!v || !json_object_is_type(v, json_type_boolean))
            return -EBADMSG;
        s->exact = json_object_get_boolean(v);
    }
    int r = get_time(o, "from_ns", &s->from);
    return r < 0 ? r : get_time(o, "to_ns", &s->to);
}

int manifest_selection_read(struct json_object *o, struct selection **out)
{
    struct selection s = SELECTION_ALL;
    const char **databases = NULL, **exclude = NULL;
    uint64_t *ids = NULL;
    if (!o || !json_object_is_type(o, json_type_object))
        return -EBADMSG;
    int r = selection_get_names(o, "databases", &databases, &s.ndatabases);
    if (r == 0)
        r = selection_get_names(o, "exclude", &exclude, &s.nexclude);
    if (r == 0)
        r = selection_get_ids(o, "shards", &ids, &s.nshards);
    if (r == 0)
        r = selection_get_rest(o, &s);
    s.databases = databases;
    s.exclude = exclude;
    s.shards = ids;
    if (r == 0)
        r = selection_copy(&s, out);
    free(databases);
    free(exclude);
    free(ids);
    return r;
}

int manifest_selection_digest(const struct selection *s, const char *what,
                              uint8_t out[SHA256_BYTES])
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    struct json_object *o = manifest_selection_json(s);
    const char *text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN) : NULL;
    const bool ok = h && text;
    if (ok) {
        sha256_add(h, what, strlen(what));
        sha256_add(h, text, strlen(text));
        sha256_end(h, out);
    }
    json_object_put(o);
    return ok ? 0 : -ENOMEM;
}
