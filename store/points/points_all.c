/* SPDX-License-Identifier: MIT */
/* Rows by series, then by time: the series of all shards side by side. */
#include "store/base/cleanup.h"
#include "store/points/keyheap.h"
#include "store/points/points_internal.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* The parts of the budget for windows on files, and for values of series; the rest is for indexes,
 * keys, and texts that are longer than others. */
#define FOR_WINDOWS 4
#define FOR_VALUES 4

/* The measurement in one shard. */
struct part {
    struct seriesstream *stream;
    struct stream_series next; /* the series it is at */
    struct series series;      /* the same, if it is current */
    bool begun; /* it has a row; else series.time is a time before which there is none */
};

struct points_all {
    struct blockpool pool;
    size_t nparts;
    struct part *parts; /* one for each shard, in their order */
    bool started;
    struct keyheap heap; /* of the series that the parts are at, but for the current one */
    size_t ncurrent;
    size_t *current;  /* the parts that have the current series, in their order */
    struct part *row; /* of the last row given; NULL: a series begins */
    int64_t until;    /* rows of this part before that time need no look at others */
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

/* Moves a part to its next series. */
static int all_advance(struct points_all *a, size_t i, struct err *e)
{
    struct part *t = &a->parts[i];
    int r = seriesstream_next(t->stream, &t->next, e);
    if (r == 1)
        keyheap_add(&a->heap, t->next.key, i);
    return r < 0 ? r : 0;
}

static int all_start(struct points_all *a, struct err *e)
{
    int r = 0;
    a->started = true;
    /* From the last to the first: the threads of the first were started earliest, and get the longest time. */
    for (size_t i = a->nparts; r == 0 && i-- > 0;)
        r = all_advance(a, i, e);
    return r;
}

/* Makes the least series the current one, in all parts that have it. */
static int all_next_series(struct points *p, struct err *e)
{
    struct points_all *a = p->all;
    int r = a->started ? 0 : all_start(a, e);
    for (size_t i = 0; r == 0 && i < a->ncurrent; i++)
        r = all_advance(a, a->current[i], e);
    a->ncurrent = 0;
    while (r == 0 && a->heap.n > 0) {
        size_t i = a->heap.items[0].number;
        struct part *t = &a->parts[i];
        if (a->ncurrent && slice_compare(t->next.key, a->parts[a->current[0]].next.key) != 0)
            break;
        keyheap_move(&a->heap, (struct slice){NULL, 0});
        a->current[a->ncurrent++] = i;
        r = series_set(&t->series, &t->next, &p->columns, false) < 0 ? no_memory(e) : 0;
        t->series.time = series_bound(&t->series);
        t->begun = false;
    }
    return r;
}

/* Of the parts that have the current series, the first with the earliest time; NULL: no more rows. */
static struct part *all_earliest(struct points_all *a)
{
    struct part *first = NULL;
    a->until = INT64_MAX;
    for (size_t i = 0; i < a->ncurrent; i++) {
        struct part *t = &a->parts[a->current[i]];
        if (t->series.done)
            continue;
        if (first && t->series.time >= first->series.time) {
            a->until = t->series.time < a->until ? t->series.time : a->until;
            continue;
        }
        a->until = first ? first->series.time : a->until;
        first = t;
    }
    return first;
}

/* The next row of the current series; *out NULL: it has no more. */
static int all_next_row(struct points_all *a, struct part **out, struct err *e)
{
    int r = a->row ? series_next(&a->row->series, e) : 0;
    *out = a->row;
    if (r < 0 || (a->row && !a->row->series.done && a->row->series.time < a->until))
        return r;
    while ((*out = all_earliest(a)) && !(*out)->begun) {
        (*out)->begun = true;
        r = series_first(&(*out)->series, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int points_all_next(struct points *p, struct points_row *row, struct err *e)
{
    struct points_all *a = p->all;
    struct part *t = NULL;
    bool begins = false;
    int r = a->ncurrent ? all_next_row(a, &t, e) : 0;
    while (r == 0 && !t) {
        a->row = NULL;
        begins = true;
        r = all_next_series(p, e);
        if (r < 0 || a->ncurrent == 0)
            return r;
        r = all_next_row(a, &t, e);
    }
    if (r < 0)
        return r;
    a->row = t;
    *row = (struct points_row){t->series.time, t->series.key, t->series.cells, begins};
    return 1;
}

int points_all_open(struct points *p, struct err *e)
{
    struct points_all *a = p->all = calloc(1, sizeof(*a));
    if (!a || !(a->parts = calloc(p->nshards + 1, sizeof(*a->parts))) ||
        !(a->current = calloc(p->nshards + 1, sizeof(*a->current))) ||
        keyheap_init(&a->heap, p->nshards) < 0)
        return no_memory(e);
    a->nparts = p->nshards;
    const struct points_stream_limits limits = {
        .range = {p->q.from, p->q.to - 1},
        .memory = points_divide(p, 0, p->nshards, points_budget(p)),
        .window = points_window(p, points_budget(p) / FOR_WINDOWS),
        .values = points_budget(p) / FOR_VALUES / (sizeof(int64_t) + sizeof(union value)),
        .pool = &a->pool};
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->nparts; i++)
        r = points_stream(p, i, &limits, &a->parts[i].stream, e);
    return r;
}

void points_all_free(struct points_all *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->nparts; i++) {
        series_free(&a->parts[i].series);
        seriesstream_free(a->parts[i].stream);
    }
    free(a->parts);
    free(a->current);
    keyheap_free(&a->heap);
    blockpool_free(&a->pool);
    free(a);
}

/* The beginning of a mark; the key of the series and the places of all parts follow. */
struct mark_head {
    size_t nkey;
    size_t part; /* of the row */
    int64_t time;
};

int points_all_mark(const struct points *p, struct buffer *mark)
{
    const struct points_all *a = p->all;
    if (!a->row || a->row->series.time == INT64_MAX)
        return -EAGAIN;
    if (!mark)
        return 0;
    const struct slice key = a->row->series.key;
    const struct mark_head head = {key.n, (size_t)(a->row - a->parts), a->row->series.time};
    mark->n = 0;
    buffer_add(mark, &head, sizeof(head));
    buffer_add(mark, key.p, key.n);
    for (size_t i = 0; i < a->nparts; i++)
        seriesstream_mark(a->parts[i].stream, mark);
    return mark->failed ? -ENOMEM : 0;
}

int points_all_resume(struct points *p, struct slice mark, struct err *e)
{
    struct points_all *a = p->all;
    struct mark_head head;
    size_t n = sizeof(head);
    if (mark.n < n)
        return err_set(e, -EINVAL, "not a mark of points");
    memcpy(&head, mark.p, n);
    for (size_t i = 0; i < a->nparts; i++)
        n += seriesstream_mark_size(a->parts[i].stream);
    if (mark.n < n || head.nkey != mark.n - n || head.part >= a->nparts)
        return err_set(e, -EINVAL, "not a mark of these points");
    const struct slice key = {mark.p + sizeof(head), head.nkey};
    const char *place = key.p + key.n;
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->nparts; i++) {
        struct seriesstream *s = a->parts[i].stream;
        r = seriesstream_resume(s, place, key, head.time + (i <= head.part), e);
        place += seriesstream_mark_size(s);
    }
    return r;
}
