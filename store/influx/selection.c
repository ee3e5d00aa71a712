/* SPDX-License-Identifier: MIT */
#include "store/influx/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool has_name(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool has_id(const uint64_t *ids, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

bool selection_of_databases(const struct selection *s)
{
    return !s->rp && !s->nshards && s->from == INT64_MIN && s->to == INT64_MAX;
}

bool selection_is_all(const struct selection *s)
{
    return selection_of_databases(s) && !s->ndatabases && !s->nexclude;
}

bool selection_has_database(const struct selection *s, const char *db)
{
    return (!s->ndatabases || has_name(s->databases, s->ndatabases, db)) &&
           !has_name(s->exclude, s->nexclude, db);
}

bool selection_has_policy(const struct selection *s, const char *db, const char *rp)
{
    return selection_has_database(s, db) && (!s->rp || strcmp(s->rp, rp) == 0);
}

bool selection_has_shard(const struct selection *s, const char *db, const char *rp, uint64_t id,
                         int64_t start, int64_t end)
{
    /* The week of the first possible day begins before the range of 64 bits: influxd lets it wrap. */
    if (start >= end)
        start = INT64_MIN;
    return selection_has_policy(s, db, rp) && (!s->nshards || has_id(s->shards, s->nshards, id)) &&
           start < s->to && end > s->from;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void free_names(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((char *)names[i]);
    free((void *)names);
}

/* Sorts n items, and drops those that are there already: strings, or numbers. */
static size_t selection_sort(void *list, size_t n, size_t size,
                             int (*by)(const void *a, const void *b), bool names)
{
    char *at = list;
    size_t kept = 0;
    if (n)
        qsort(list, n, size, by);
    for (size_t i = 0; i < n; i++) {
        if (kept && by(at + (kept - 1) * size, at + i * size) == 0) {
            if (names)
                free(*(char **)(at + i * size));
            continue;
        }
        memmove(at + kept++ * size, at + i * size, size);
    }
    return kept;
}

static int selection_copy_names(const char *const *from, size_t n, const char *const **to,
                                size_t *count)
{
    char **list = calloc(n + 1, sizeof(*list));
    *to = (const char *const *)list;
    for (size_t i = 0; list && i < n; i++, ++*count)
        if (!(list[i] = strdup(from[i])))
            return -ENOMEM;
    if (!list)
        return -ENOMEM;
    *count = selection_sort(list, n, sizeof(*list), by_name, true);
    return 0;
}

static int selection_copy_ids(const uint64_t *from, size_t n, struct selection *to)
{
    uint64_t *list = calloc(n + 1, sizeof(*list));
    to->shards = list;
    if (!list)
        return -ENOMEM;
    if (n)
        memcpy(list, from, n * sizeof(*list));
    to->nshards = selection_sort(list, n, sizeof(*list), by_id, false);
    return 0;
}

int selection_copy(const struct selection *s, struct selection **out)
{
    struct selection *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->from = s->from;
    c->to = s->to;
    c->exact = s->exact;
    c->rp = s->rp ? strdup(s->rp) : NULL;
    int r = s->rp && !c->rp ? -ENOMEM : 0;
    if (r == 0)
        r = selection_copy_names(s->databases, s->ndatabases, &c->databases, &c->ndatabases);
    if (r == 0)
        r = selection_copy_names(s->exclude, s->nexclude, &c->exclude, &c->nexclude);
    if (r == 0)
        r = selection_copy_ids(s->shards, s->nshards, c);
    if (r < 0)
        selection_free(c);
    else
        *out = c;
    return r;
}

void selection_free(struct selection *s)
{
    if (!s)
        return;
    free_names(s->databases, s->ndatabases);
    free_names(s->exclude, s->nexclude);
    free((void *)s->shards);
    free((char *)s->rp);
    free(s);
}

static bool same_names(const char *const *a, size_t na, const char *const *b, size_t nb)
{
    if (na != nb)
        return false;
    for (size_t i = 0; i < na; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

static bool same_name(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool selection_same(const struct selection *a, const struct selection *b)
{
    static const struct selection all = SELECTION_ALL;
    a = a ? a : &all;
    b = b ? b : &all;
    return same_names(a->databases, a->ndatabases, b->databases, b->ndatabases) &&
           same_names(a->exclude, a->nexclude, b->exclude, b->nexclude) &&
           same_name(a->rp, b->rp) && a->nshards == b->nshards &&
           (!a->nshards || memcmp(a->shards, b->shards, a->nshards * sizeof(*a->shards)) == 0) &&
           a->from == b->from && a->to == b->to && a->exact == b->exact;
}
