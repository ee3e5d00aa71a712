/* SPDX-License-Identifier: MIT */
#include "store/points/deletes.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/tombstone.h"
#include "store/points/keyhash.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
    UT_hash_handle hh;
    struct key_deletes of;
    char key[];
};

struct deletes {
    struct slice measurement;
    struct entry *keys; /* hash */
};

void deletes_free(struct deletes *d)
{
    struct entry *k, *tmp;
    if (!d)
        return;
    HASH_ITER(hh, d->keys, k, tmp)
    {
        HASH_DEL(d->keys, k);
        free(k->of.list);
        free(k);
    }
    free(d);
}

static int deletes_add(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct deletes *d = ctx;
    if (min > max ||
        (d->measurement.p && !serieskey_is_of((struct slice){key, len}, d->measurement)))
        return 0;
    struct entry *k;
    HASH_FIND(hh, d->keys, key, len, k);
    if (!k)
        keyhash_add(d->keys, key, len, k);
    if (!k || !array_grow(&k->of.list, k->of.n))
        return -ENOMEM;
    k->of.list[k->of.n++] = (struct time_range){min, max};
    return 0;
}

static int by_min(const void *va, const void *vb)
{
    const struct time_range *a = va, *b = vb;
    if (a->min != b->min)
        return a->min < b->min ? -1 : 1;
    return (a->max > b->max) - (a->max < b->max);
}

/* Joins ranges that touch. */
static void deletes_join(struct key_deletes *k)
{
    size_t n = 0;
    qsort(k->list, k->n, sizeof(*k->list), by_min);
    for (size_t i = 0; i < k->n; i++) {
        struct time_range r = k->list[i];
        struct time_range *last = n ? &k->list[n - 1] : NULL;
        if (last && (last->max == INT64_MAX || r.min <= last->max + 1))
            last->max = r.max > last->max ? r.max : last->max;
        else
            k->list[n++] = r;
    }
    k->n = n;
}

int deletes_read(const struct source *s, struct slice measurement, struct deletes **out,
                 struct err *e)
{
    cleanup(deletes_freep) struct deletes *d = calloc(1, sizeof(*d));
    struct entry *k, *tmp;
    if (!d)
        return err_sys(e, -ENOMEM, "tombstones");
    d->measurement = measurement;
    int r = s ? tombstone_read(s, deletes_add, d, e) : 0;
    if (r < 0)
        return r == -ENOMEM ? err_sys(e, r, "%s", s->name) : r;
    HASH_ITER(hh, d->keys, k, tmp)
    {
        deletes_join(&k->of);
    }
    *out = steal_ptr(&d);
    return 0;
}

struct key_deletes *deletes_of(const struct deletes *d, struct slice key)
{
    struct entry *k;
    HASH_FIND(hh, d->keys, key.p, key.n, k);
    return k ? &k->of : NULL;
}

bool key_deletes_all(const struct key_deletes *k, int64_t min, int64_t max)
{
    for (size_t i = 0; k && i < k->n; i++)
        if (k->list[i].min <= min && k->list[i].max >= max)
            return true;
    return false;
}

bool key_deletes_some(const struct key_deletes *k, int64_t min, int64_t max)
{
    for (size_t i = 0; k && i < k->n; i++)
        if (k->list[i].min <= max && k->list[i].max >= min)
            return true;
    return false;
}
