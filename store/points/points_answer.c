/* SPDX-License-Identifier: MIT */
/* Rows as influxd's iterators merge them: a heap of series for each shard, and one of shards. */
#include "store/points/goheap.h"
#include "store/points/points_internal.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* Values in memory while the series of a shard are merged: some 32 MB. */
#define SIDE_BY_SIDE ((size_t)2 << 20)

/* The measurement in one shard of the range. */
struct part {
    struct measurement *measurement;
    size_t nseries;
    struct series *series;
    struct goheap heap;  /* of its series */
    struct series *head; /* removed from the heap; NULL: the part has ended */
};

struct points_answer {
    size_t nparts;
    struct part *parts; /* one for each shard */
    size_t next;        /* the next part to open */
    struct goheap heap; /* of the open parts */
    struct part *head;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

static void answer_part_close(struct part *t)
{
    for (size_t i = 0; i < t->nseries; i++)
        series_clear(&t->series[i]);
    free(t->series);
    free(t->heap.items);
    measurement_free(t->measurement);
    *t = (struct part){.measurement = NULL};
}

/* Makes the series of a part with an open measurement. */
static int answer_part_series(const struct points *p, struct part *t, struct err *e)
{
    size_t n = measurement_count(t->measurement);
    t->series = calloc(n + 1, sizeof(*t->series));
    if (!t->series)
        return no_memory(e);
    for (size_t i = 0; i < n; t->nseries++)
        if (series_init(&t->series[t->nseries], t->measurement, &i, &p->columns, true) < 0)
            return no_memory(e);
    return 0;
}

static int answer_part_open(const struct points *p, size_t number, struct err *e)
{
    struct part *t = &p->answer->parts[number];
    int r = points_measurement(p, number, &t->measurement, e);
    if (r == 0)
        measurement_limit(t->measurement, SIDE_BY_SIDE);
    if (r == 0)
        r = answer_part_series(p, t, e);
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

static int answer_part_next(struct part *t, struct err *e)
{
    int r = series_next(t->head, e);
    if (r < 0)
        return r;
    if (!t->head->done)
        goheap_push(&t->heap, t->head);
    t->head = t->heap.n ? goheap_pop(&t->heap) : NULL;
    return 0;
}

static bool answer_part_less(const void *a, const void *b, void *ctx)
{
    return series_less(((const struct part *)a)->head, ((const struct part *)b)->head, ctx);
}

/* How many unopened shards must be merged, since their times overlap; they are sorted by end. */
static size_t overlapping(const struct points *p)
{
    size_t n = 1, next = p->answer->next;
    for (size_t i = next + 1; i < p->nshards; i++) {
        int64_t end = p->shards[next + n - 1].files->end;
        if (p->shards[i].files->start < end)
            n = i - next + 1;
    }
    return n;
}

static int answer_open_parts(const struct points *p, struct err *e)
{
    struct points_answer *a = p->answer;
    size_t n = overlapping(p);
    for (; n > 0; n--) {
        struct part *t = &a->parts[a->next];
        int r = answer_part_open(p, a->next++, e);
        if (r < 0)
            return r;
        if (t->head)
            a->heap.items[a->heap.n++] = t;
        else
            answer_part_close(t);
    }
    goheap_init(&a->heap);
    return 0;
}

int points_answer_next(struct points *p, struct points_row *row, struct err *e)
{
    struct points_answer *a = p->answer;
    int r = a->head ? answer_part_next(a->head, e) : 0;
    if (r < 0)
        return r;
    if (a->head && a->head->head)
        goheap_push(&a->heap, a->head);
    else if (a->head)
        answer_part_close(a->head);
    a->head = NULL;
    while (a->heap.n == 0 && a->next < a->nparts) {
        r = answer_open_parts(p, e);
        if (r < 0)
            return r;
    }
    if (a->heap.n == 0)
        return 0;
    a->head = goheap_pop(&a->heap);
    const struct series *s = a->head->head;
    *row = (struct points_row){s->time, s->key, s->cells, false};
    return 1;
}

int points_answer_open(struct points *p, struct err *e)
{
    struct points_answer *a = p->answer = calloc(1, sizeof(*a));
    if (!a)
        return no_memory(e);
    a->parts = calloc(p->nshards + 1, sizeof(*a->parts));
    a->heap.less = answer_part_less;
    a->heap.items = calloc(p->nshards + 1, sizeof(void *));
    if (!a->parts || !a->heap.items)
        return no_memory(e);
    a->nparts = p->nshards;
    return 0;
}

void points_answer_free(struct points_answer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->nparts; i++)
        answer_part_close(&a->parts[i]);
    free(a->parts);
    free(a->heap.items);
    free(a);
}
