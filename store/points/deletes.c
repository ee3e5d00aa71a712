/* SPDX-License-Identifier: MIT */
#include "store/points/deletes.h"

#include "store/base/cleanup.h"
#include "store/influx/tombstone.h"
#include "store/points/keypass.h"

#include <errno.h>
#include <stdlib.h>

/* The memory of a pass after the first is at least this part of what all deletions would take, up to so
 * many bytes: a pass keeps what fills half of it, so there are some 16 passes at most, or one for each
 * 2 MiB. */
#define PASS_PART 8
#define PASS_MEMORY ((size_t)4 << 20)

/* What a deletion takes beside its key, about. */
#define DELETE_COST 72

struct deletes {
    const struct source *source;
    struct slice measurement;
    size_t memory;
    size_t all;          /* bytes that all would take, about */
    bool first;          /* they are counted now */
    struct keypass keys; /* a thing is a struct time_range */
    struct key_deletes found;
};

_Static_assert(sizeof(struct time_range) == sizeof(struct keypass_thing), "a range is a thing");

void deletes_free(struct deletes *d)
{
    if (!d)
        return;
    keypass_clear(&d->keys);
    free(d);
}

static int deletes_add(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct deletes *d = ctx;
    const struct slice name = {key, len};
    const struct time_range range = {min, max};
    if (min > max || (d->measurement.p && !serieskey_is_of(name, d->measurement)))
        return 0;
    if (d->first)
        d->all += DELETE_COST + len;
    if (keypass_fit(&d->keys) < 0)
        return -ENOMEM;
    if (!keypass_wants(&d->keys, name))
        return 0;
    struct keypass_item *k = keypass_find(&d->keys, name);
    if (!k && !(k = keypass_add(&d->keys, name, len)))
        return -ENOMEM;
    return keypass_push(&d->keys, k, &range);
}

static int by_min(const void *va, const void *vb)
{
    const struct time_range *a = va, *b = vb;
    if (a->min != b->min)
        return a->min < b->min ? -1 : 1;
    return (a->max > b->max) - (a->max < b->max);
}

/* Joins ranges that touch. */
static void deletes_join(struct keypass_item *k)
{
    struct time_range *list = keypass_list(k);
    size_t n = 0;
    qsort(list, k->n, sizeof(*list), by_min);
    for (size_t i = 0; i < k->n; i++) {
        struct time_range r = list[i];
        struct time_range *last = n ? &list[n - 1] : NULL;
        if (last && (last->max == INT64_MAX || r.min <= last->max + 1))
            last->max = r.max > last->max ? r.max : last->max;
        else
            list[n++] = r;
    }
    keypass_leave(k, n);
}

/* The memory of the next pass. */
static size_t deletes_memory(const struct deletes *d)
{
    const size_t part = d->all / PASS_PART, least = part < PASS_MEMORY ? part : PASS_MEMORY;
    return d->memory == 0 || d->memory > least ? d->memory : least;
}

/* Reads the deletions of the keys from this one on. */
static int deletes_load(struct deletes *d, struct slice from, struct err *e)
{
    const struct source *s = d->source;
    keypass_clear(&d->keys);
    int r = keypass_init(&d->keys, deletes_memory(d), from);
    d->first = !from.p;
    if (r == 0 && s)
        r = tombstone_read(s, deletes_add, d, e);
    if (r == 0)
        r = keypass_fit(&d->keys);
    for (size_t i = 0; r == 0 && i < d->keys.room; i++)
        if (d->keys.items[i])
            deletes_join(d->keys.items[i]);
    return r == -ENOMEM ? err_sys(e, r, "%s", s ? s->name : "tombstones") : r;
}

int deletes_open(const struct source *s, struct slice measurement, size_t memory,
                 struct deletes **out, struct err *e)
{
    cleanup(deletes_freep) struct deletes *d = calloc(1, sizeof(*d));
    if (!d)
        return err_sys(e, -ENOMEM, "tombstones");
    d->source = s;
    d->measurement = measurement;
    d->memory = memory;
    int r = deletes_load(d, (struct slice){NULL, 0}, e);
    if (r == 0)
        *out = steal_ptr(&d);
    return r;
}

int deletes_read(const struct source *s, struct slice measurement, struct deletes **out,
                 struct err *e)
{
    return deletes_open(s, measurement, 0, out, e);
}

int deletes_reach(struct deletes *d, struct slice key, struct err *e)
{
    return keypass_wants(&d->keys, key) ? 0 : deletes_load(d, key, e);
}

const struct key_deletes *deletes_of(struct deletes *d, struct slice key)
{
    struct keypass_item *k = keypass_find(&d->keys, key);
    if (!k)
        return NULL;
    d->found = (struct key_deletes){keypass_list(k), k->n};
    return &d->found;
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
