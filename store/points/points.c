/* SPDX-License-Identifier: MIT */
#include "store/points/points.h"

#include "store/base/cleanup.h"
#include "store/points/goheap.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* Values in memory while the series of a shard are merged: some 32 MB. */
#define SIDE_BY_SIDE ((size_t)2 << 20)

/* The measurement in one shard of the range. */
struct part {
    size_t number; /* of the shard in the cache */
    const struct shard_files *shard;
    struct measurement *measurement;
    size_t nseries;
    struct series *series;
    struct goheap heap;  /* POINTS_ANSWER: of its series */
    struct series *head; /* removed from the heap; NULL: the part has ended */
};

struct points {
    struct schema_cache *cache; /* not owned */
    struct points_query q;
    struct columns columns;
    size_t nparts;
    struct part *parts;
    size_t next;        /* POINTS_ANSWER: the next part to open */
    struct goheap heap; /* POINTS_ANSWER: of the open parts */
    struct part *head;
    size_t nall, first, last; /* POINTS_ALL: all series, and the current ones */
    struct series **all;
    struct series *row; /* the last row given, POINTS_ALL */
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

static void points_part_close(struct part *t)
{
    for (size_t i = 0; i < t->nseries; i++)
        series_clear(&t->series[i]);
    free(t->series);
    free(t->heap.items);
    measurement_free(t->measurement);
    *t = (struct part){.number = t->number, .shard = t->shard};
}

static int points_part_measurement(struct points *p, struct part *t, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *wal = NULL;
    cleanup(keyindex_unrefp) struct keyindex *keys = NULL;
    int r = schema_cache_recent(p->cache, t->number, p->q.reader, &wal, &keys, e);
    if (r < 0)
        return r;
    const struct measurement_query q = {.capture = schema_cache_capture(p->cache),
                                        .shard = t->shard,
                                        .name = p->q.measurement,
                                        .range = {p->q.from, p->q.to - 1},
                                        .gaps = p->q.gaps,
                                        .reader = p->q.reader,
                                        .wal = wal,
                                        .keys = keys};
    return measurement_open(&q, &t->measurement, e);
}

/* Makes the series of a part with an open measurement. */
static int points_part_series(struct points *p, struct part *t, struct err *e)
{
    size_t n = measurement_count(t->measurement);
    t->series = calloc(n + 1, sizeof(*t->series));
    if (!t->series)
        return no_memory(e);
    for (size_t i = 0; i < n; t->nseries++)
        if (series_init(&t->series[t->nseries], t->measurement, &i, &p->columns,
                        p->q.way == POINTS_ANSWER) < 0)
            return no_memory(e);
    return 0;
}

/* Readies a part for POINTS_ANSWER. */
static int points_part_open(struct points *p, struct part *t, struct err *e)
{
    int r = points_part_measurement(p, t, e);
    if (r == 0)
        measurement_limit(t->measurement, SIDE_BY_SIDE);
    if (r == 0)
        r = points_part_series(p, t, e);
    if (r < 0)
        return r;
    t->heap.less = series_less;
    t->heap.items = calloc(t->nseries + 1, sizeof(void *));
    if (!t->heap.items)
        return no_memory(e);
    for (size_t i = 0; i < t->nseries; i++) {
        r = series_first(&t->series[i], e);
        if (r < 0)
            return r;
        if (!t->series[i].done)
            t->heap.items[t->heap.n++] = &t->series[i];
    }
    goheap_init(&t->heap);
    t->head = t->heap.n ? goheap_pop(&t->heap) : NULL;
    return 0;
}

static int points_part_next(struct part *t, struct err *e)
{
    int r = series_next(t->head, e);
    if (r < 0)
        return r;
    if (!t->head->done)
        goheap_push(&t->heap, t->head);
    t->head = t->heap.n ? goheap_pop(&t->heap) : NULL;
    return 0;
}

static bool points_part_less(const void *a, const void *b, void *ctx)
{
    return series_less(((const struct part *)a)->head, ((const struct part *)b)->head, ctx);
}

/* How many unopened parts must be merged, since their times overlap; parts are sorted by end. */
static size_t overlapping(const struct points *p)
{
    size_t n = 1;
    for (size_t i = p->next + 1; i < p->nparts; i++) {
        int64_t end = p->parts[p->next + n - 1].shard->end;
        if (p->parts[i].shard->start < end)
            n = i - p->next + 1;
    }
    return n;
}

static int points_open_parts(struct points *p, struct err *e)
{
    size_t n = overlapping(p);
    for (; n > 0; n--) {
        struct part *t = &p->parts[p->next++];
        int r = points_part_open(p, t, e);
        if (r < 0)
            return r;
        if (t->head)
            p->heap.items[p->heap.n++] = t;
        else
            points_part_close(t);
    }
    goheap_init(&p->heap);
    return 0;
}

static int points_next_answer(struct points *p, struct points_row *row, struct err *e)
{
    int r = p->head ? points_part_next(p->head, e) : 0;
    if (r < 0)
        return r;
    if (p->head && p->head->head)
        goheap_push(&p->heap, p->head);
    else if (p->head)
        points_part_close(p->head);
    p->head = NULL;
    while (p->heap.n == 0 && p->next < p->nparts) {
        r = points_open_parts(p, e);
        if (r < 0)
            return r;
    }
    if (p->heap.n == 0)
        return 0;
    p->head = goheap_pop(&p->heap);
    const struct series *s = p->head->head;
    *row = (struct points_row){s->time, s->key, s->cells};
    return 1;
}

static int by_key(const void *va, const void *vb)
{
    const struct series *a = *(struct series *const *)va, *b = *(struct series *const *)vb;
    return slice_compare(a->key, b->key);
}

/* POINTS_ALL: every series of every part; those with the same key are together. */
static int points_open_all(struct points *p, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < p->nparts; i++) {
        int r = points_part_measurement(p, &p->parts[i], e);
        if (r == 0)
            r = points_part_series(p, &p->parts[i], e);
        if (r < 0)
            return r;
        n += p->parts[i].nseries;
    }
    p->all = calloc(n + 1, sizeof(struct series *));
    if (!p->all)
        return no_memory(e);
    for (size_t i = 0; i < p->nparts; i++)
        for (size_t k = 0; k < p->parts[i].nseries; k++)
            p->all[p->nall++] = &p->parts[i].series[k];
    qsort(p->all, p->nall, sizeof(struct series *), by_key);
    return 0;
}

/* Begins the next series, in all parts that have it. */
static int points_next_series(struct points *p, struct err *e)
{
    for (size_t i = p->first; i < p->last; i++)
        series_clear(p->all[i]);
    p->first = p->last;
    while (p->last < p->nall && by_key(&p->all[p->first], &p->all[p->last]) == 0) {
        int r = series_first(p->all[p->last++], e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int points_next_all(struct points *p, struct points_row *row, struct err *e)
{
    int r = p->row ? series_next(p->row, e) : 0;
    p->row = NULL;
    while (r == 0) {
        for (size_t i = p->first; i < p->last; i++)
            if (!p->all[i]->done && (!p->row || p->all[i]->time < p->row->time))
                p->row = p->all[i];
        if (p->row || p->last == p->nall)
            break;
        r = points_next_series(p, e);
    }
    if (r < 0 || !p->row)
        return r;
    *row = (struct points_row){p->row->time, p->row->key, p->row->cells};
    return 1;
}

int points_next(struct points *p, struct points_row *row, struct err *e)
{
    return p->q.way == POINTS_ANSWER ? points_next_answer(p, row, e) : points_next_all(p, row, e);
}

static int points_find_parts(struct points *p, const size_t *list, size_t n, struct err *e)
{
    p->parts = calloc(n + 1, sizeof(*p->parts));
    p->heap.less = points_part_less;
    p->heap.items = calloc(n + 1, sizeof(void *));
    if (!p->parts || !p->heap.items)
        return no_memory(e);
    for (size_t i = 0; i < n; i++)
        p->parts[i] = (struct part){.number = list[i],
                                    .shard = shards_at(schema_cache_shards(p->cache), list[i])};
    p->nparts = n;
    return 0;
}

int points_open(struct schema_cache *c, const struct points_query *q, struct points **out,
                struct err *e)
{
    cleanup(points_freep) struct points *p = calloc(1, sizeof(*p));
    autofree size_t *list = NULL;
    size_t n = 0;
    if (!p)
        return no_memory(e);
    p->cache = c;
    p->q = *q;
    int r = shards_range(schema_cache_shards(c), q->db, q->rp, q->from, q->to, &list, &n, e);
    if (r == 0)
        r = points_find_parts(p, list, n, e);
    if (r == 0)
        r = columns_of(c, q, list, n, &p->columns, e);
    if (r == 0 && q->way == POINTS_ALL)
        r = points_open_all(p, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&p);
    return 0;
}

void points_free(struct points *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->nparts; i++)
        points_part_close(&p->parts[i]);
    free(p->parts);
    free(p->heap.items);
    free(p->all);
    columns_clear(&p->columns);
    free(p);
}

size_t points_columns(const struct points *p)
{
    return p->columns.n;
}

const struct points_column *points_column(const struct points *p, size_t i)
{
    return &p->columns.list[i];
}
