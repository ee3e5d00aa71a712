/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_types.h"

#include "store/base/buffer.h"
#include "store/points/keyhash.h"

#include <errno.h>

struct entry {
    UT_hash_handle hh;
    enum value_type type;
    unsigned refused;   /* a bit for each other type that was taken */
    size_t measurement; /* bytes of the key, then the separator and the field */
    char key[];
};

struct merge_types {
    struct entry *fields; /* hash by measurement and field */
    struct buffer key;    /* of the field looked for */
    size_t measurement;   /* bytes of its measurement */
};

struct merge_types *merge_types_new(void)
{
    return calloc(1, sizeof(struct merge_types));
}

void merge_types_free(struct merge_types *t)
{
    struct entry *n, *tmp;
    if (!t)
        return;
    HASH_ITER(hh, t->fields, n, tmp)
    {
        HASH_DEL(t->fields, n);
        free(n);
    }
    buffer_free(&t->key);
    free(t);
}

/* Finds the field of a key: *out is NULL if nothing is known of it. -EBADMSG: the key has none. */
static int merge_types_find(struct merge_types *t, struct slice key, struct entry **out)
{
    struct slice series, field, tags;
    if (!serieskey_split(key, &series, &field) || field.n == 0)
        return -EBADMSG;
    const struct slice measurement = serieskey_measurement(series, &tags);
    t->key.n = 0;
    buffer_add(&t->key, measurement.p, measurement.n);
    buffer_string(&t->key, SERIESKEY_SEPARATOR);
    buffer_add(&t->key, field.p, field.n);
    if (t->key.failed)
        return -ENOMEM;
    t->measurement = measurement.n;
    HASH_FIND(hh, t->fields, t->key.p, t->key.n, *out);
    return 0;
}

int merge_types_take(struct merge_types *t, struct slice key, enum value_type type,
                     const char *file, bool *fits, struct err *e)
{
    struct entry *n = NULL;
    int r = merge_types_find(t, key, &n);
    if (r == -EBADMSG)
        return err_set(e, r, "%s: damaged: a key without a field", file);
    if (r == 0 && !n) {
        keyhash_add(t->fields, t->key.p, t->key.n, n);
        if (n)
            *n = (struct entry){.hh = n->hh, .type = type, .measurement = t->measurement};
    }
    if (!n)
        return err_sys(e, -ENOMEM, "%s", file);
    *fits = n->type == type;
    if (!*fits)
        n->refused |= 1u << type;
    return 0;
}

bool merge_types_fit(struct merge_types *t, struct slice key, enum value_type type)
{
    struct entry *n = NULL;
    return merge_types_find(t, key, &n) == 0 && (!n || n->type == type);
}

void merge_types_refused(const struct merge_types *t, merge_types_fn *fn, void *ctx)
{
    static const char *const names[VALUE_TYPES] = {"float", "integer", "boolean", "string",
                                                   "unsigned"};
    for (const struct entry *n = t->fields; n; n = n->hh.next)
        for (unsigned type = 0; type < VALUE_TYPES; type++) {
            const size_t skip = n->measurement + strlen(SERIESKEY_SEPARATOR);
            if (n->refused & 1u << type)
                fn(ctx, (struct slice){n->key, n->measurement},
                   (struct slice){n->key + skip, n->hh.keylen - skip}, names[n->type], names[type]);
        }
}
