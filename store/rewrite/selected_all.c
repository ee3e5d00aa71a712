/* SPDX-License-Identifier: MIT */
/* Every database of a capture as a part of its own: the capture and its meta.db are looked through
 * once, and the catalogue is asked once. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/rewrite/selected_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct database {
    void *bytes; /* of its meta.db */
    size_t len;
    struct selected_range *ranges; /* its members, with those that are of no database */
    size_t nranges;
};

struct selected_all {
    struct partmeta *store; /* gives the names, in this order: */
    struct database *databases;
    struct catalog_part *parts;
    size_t n;
};

static size_t all_find(const struct partmeta *store, const char *db, size_t len)
{
    size_t low = 0, high = partmeta_count(store);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = partmeta_name(store, middle);
        int d = strncmp(name, db, len);
        if (d == 0 && name[len])
            d = 1;
        if (d == 0)
            return middle;
        if (d < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

/* Adds member i to the ranges, whose last one it may follow. */
static int all_extend(struct database *d, size_t i)
{
    if (d->nranges && d->ranges[d->nranges - 1].end == i) {
        d->ranges[d->nranges - 1].end++;
        return 0;
    }
    if (!array_grow(&d->ranges, d->nranges))
        return -ENOMEM;
    d->ranges[d->nranges++] = (struct selected_range){i, i + 1};
    return 0;
}

/* Which members are of which database: those of none are of each. */
static int all_divide(struct selected_all *a, const struct capture *whole)
{
    char path[MEMBER_PATH_MAX];
    int r = 0;
    for (size_t i = 0; r == 0 && i < capture_count(whole); i++) {
        const struct member *m = capture_member(whole, i);
        size_t len;
        if (member_path_len(m) >= sizeof(path))
            return -ENAMETOOLONG;
        const char *db = selected_database(member_path(m, path), &len);
        size_t k = db ? all_find(a->store, db, len) : SIZE_MAX;
        if (k != SIZE_MAX)
            r = all_extend(&a->databases[k], i);
        for (k = 0; r == 0 && !db && k < a->n; k++)
            r = all_extend(&a->databases[k], i);
    }
    return r;
}

static struct selection all_selection(const char *const *name)
{
    struct selection one = SELECTION_ALL;
    one.databases = name;
    one.ndatabases = 1;
    return one;
}

static int all_make(const struct selected_all *a, size_t i, struct capture *whole,
                    struct selected **out, struct err *e)
{
    const struct database *d = &a->databases[i];
    const char *name = partmeta_name(a->store, i);
    const struct selection one = all_selection(&name);
    cleanup(meta_freep) struct meta *meta = NULL;
    void *bytes = malloc(d->len + 1);
    if (!bytes)
        return err_sys(e, -ENOMEM, "database %s", name);
    memcpy(bytes, d->bytes, d->len);
    int r = meta_parse(bytes, d->len, &meta, e);
    if (r < 0) {
        free(bytes);
        return r;
    }
    return selected_make(whole, &one, d->ranges, d->nranges, bytes, d->len, meta, out, e);
}

/* Everything about a database but its record. */
static int all_prepare(struct selected_all *a, size_t i, struct capture *whole, struct err *e)
{
    struct database *d = &a->databases[i];
    const char *name = partmeta_name(a->store, i);
    const struct selection one = all_selection(&name);
    cleanup(meta_freep) struct meta *meta = NULL;
    struct selected *s;
    int r = partmeta_make(a->store, &one, &d->bytes, &d->len, &meta, e);
    if (r == 0)
        r = all_make(a, i, whole, &s, e);
    if (r < 0)
        return r;
    a->parts[i] = s->part;
    capture_unref(&s->c);
    return 0;
}

int selected_all_new(struct capture *whole, struct catalog *catalog,
                     const struct tarball_reader *reader, struct selected_all **out, struct err *e)
{
    struct selected_all *a = calloc(1, sizeof(*a));
    int r = a ? selected_read_meta(whole, &a->store, e) : -ENOMEM;
    if (r == 0) {
        a->n = partmeta_count(a->store);
        a->databases = calloc(a->n + 1, sizeof(*a->databases));
        a->parts = calloc(a->n + 1, sizeof(*a->parts));
        r = a->databases && a->parts ? all_divide(a, whole) : -ENOMEM;
    }
    for (size_t i = 0; r == 0 && i < a->n; i++)
        r = reader_interrupted(reader) ? err_set(e, -EINTR, "interrupted")
                                       : all_prepare(a, i, whole, e);
    if (r == 0)
        r = catalog_settle_parts(catalog, a->parts, a->n, capture_record(whole), e);
    if (r < 0) {
        selected_all_free(a);
        return e && e->text[0] ? r : err_sys(e, r, "the databases of the store");
    }
    *out = a;
    return 0;
}

void selected_all_free(struct selected_all *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n && a->databases; i++) {
        free(a->databases[i].bytes);
        free(a->databases[i].ranges);
    }
    free(a->databases);
    free(a->parts);
    partmeta_free(a->store);
    free(a);
}

size_t selected_all_count(const struct selected_all *a)
{
    return a->n;
}

const char *selected_all_name(const struct selected_all *a, size_t i)
{
    return partmeta_name(a->store, i);
}

int selected_all_capture(const struct selected_all *a, size_t i, struct capture *whole,
                         struct capture **out, struct err *e)
{
    struct selected *s = NULL;
    int r = all_make(a, i, whole, &s, e);
    if (r < 0)
        return r;
    selected_settle(s, &a->parts[i]);
    *out = &s->c;
    return 0;
}
