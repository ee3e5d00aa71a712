/* SPDX-License-Identifier: MIT */
/* Rows as influxd's iterators merge them: a heap of series for each shard, and one of shards. */
#include "store/points/answer_source.h"
#include "store/points/goheap.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* The part of the budget for pages of the spill; where there is a WAL, that needs some. */
#define FOR_PAGES 2
#define FOR_PAGES_BESIDE_WAL 3

/* A mark of parts takes no more than this part of the budget. */
#define FOR_MARK 16

/* The measurement in one shard of the range. */
struct part {
    struct answer_source *source;
    struct goheap heap;              /* of its series */
    struct goheap_item head;         /* what was removed from the heap, if the part has not ended */
    const struct points_cell *cells; /* of its row */
};

struct points_answer {
    struct answer_spill *spill;
    size_t nparts;
    struct part *parts; /* one for each shard */
    int64_t *times;     /* of their heads; ANSWER_ENDED: no more rows */
    size_t next;        /* the next part to open */
    struct goheap heap; /* of the open parts */
    uint32_t head;      /* the part that was removed from the heap, */
    bool any;           /* if there is one: its row was given, */
    bool first;         /* and no row of that time before */
    bool begun;         /* a row was given; the last one had */
    int64_t time;       /* that time */
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

static void answer_part_close(struct part *t)
{
    answer_source_free(t->source);
    answer_array_free(t->heap.items);
    *t = (struct part){.source = NULL};
}

/* Takes the row of the head, which was removed from the heap. */
static int answer_part_take(struct points_answer *a, uint32_t i, struct err *e)
{
    struct part *t = &a->parts[i];
    struct answer_source *s = t->source;
    int r = answer_spill_check(a->spill, e);
    if (r == 0 && t->head.time >= s->until)
        r = s->ops->load(s, t->head.time, NULL, e);
    if (r < 0)
        return r;
    a->times[i] = t->head.time;
    return s->ops->take(s, t->head.series, &t->cells, e);
}

/* Takes the next row: that of the least series, which is removed from the heap. */
static int answer_part_pop(struct points_answer *a, uint32_t i, struct err *e)
{
    struct part *t = &a->parts[i];
    a->times[i] = ANSWER_ENDED;
    if (t->source->sorted) {
        int r = t->source->ops->pop(t->source, &t->head, &t->cells, e);
        a->times[i] = r < 0 ? ANSWER_ENDED : t->head.time;
        return r;
    }
    if (t->heap.n == 0)
        return answer_spill_check(a->spill, e);
    t->head = goheap_pop(&t->heap);
    return answer_part_take(a, i, e);
}

static int answer_part_next(struct points_answer *a, uint32_t i, struct err *e)
{
    struct part *t = &a->parts[i];
    if (t->source->sorted)
        return answer_part_pop(a, i, e);
    int r = t->source->ops->next(t->source, t->head.series, &t->head.time, e);
    if (r < 0)
        return r;
    if (t->head.time != ANSWER_ENDED)
        goheap_push(&t->heap, t->head);
    return answer_part_pop(a, i, e);
}

/* Opens a part at a time. Its heap has all series that have rows, but not in order; none, if the source gives
 * rows sorted. */
static int answer_part_begin(const struct points *p, uint32_t i, size_t memory, int64_t from,
                             struct err *e)
{
    struct points_answer *a = p->answer;
    struct part *t = &a->parts[i];
    if (answer_array_new(a->spill, sizeof(struct goheap_item), &t->heap.items) < 0)
        return no_memory(e);
    int r = answer_source_open(p, i, memory, a->spill, &t->source, e);
    if (r == 0)
        r = t->source->ops->load(t->source, from, t->heap.items, e);
    if (r < 0)
        return r;
    t->heap.n = answer_array_count(t->heap.items);
    t->heap.less = t->source->ops->less;
    t->heap.ctx = t->source;
    return 0;
}

/* Takes the first row of a part that was begun. */
static int answer_part_first(struct points_answer *a, uint32_t i, struct err *e)
{
    goheap_init(&a->parts[i].heap);
    return answer_part_pop(a, i, e);
}

static bool answer_part_less(void *ctx, const struct goheap_item *a, const struct goheap_item *b)
{
    const struct points *p = ctx;
    const struct points_cell *x = p->answer->parts[a->series].cells;
    const struct points_cell *y = p->answer->parts[b->series].cells;
    /* After a failure of the spill, part 0 may seem to be in the heap. */
    return x && y && series_cells_less(x, y, p->columns.n);
}

/* A part in the heap of parts. */
static struct goheap_item answer_part_item(const struct points_answer *a, uint32_t i)
{
    return (struct goheap_item){.time = a->times[i], .series = i};
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
    answer_array_clear(a->heap.items);
    const size_t memory = points_budget(p) / n;
    for (; n > 0; n--) {
        uint32_t i = (uint32_t)a->next++;
        int r = answer_part_begin(p, i, memory, p->q.from, e);
        if (r == 0)
            r = answer_part_first(a, i, e);
        if (r < 0)
            return r;
        const struct goheap_item item = answer_part_item(a, i);
        if (item.time != ANSWER_ENDED)
            answer_array_add(a->heap.items, &item);
        else
            answer_part_close(&a->parts[i]);
    }
    a->heap.n = answer_array_count(a->heap.items);
    goheap_init(&a->heap);
    return 0;
}

/* Moves on past the row that was given. */
static int answer_move(struct points_answer *a, struct err *e)
{
    int r = answer_part_next(a, a->head, e);
    if (r < 0)
        return r;
    a->any = false;
    if (a->times[a->head] != ANSWER_ENDED)
        goheap_push(&a->heap, answer_part_item(a, a->head));
    else
        answer_part_close(&a->parts[a->head]);
    return 0;
}

int points_answer_next(struct points *p, struct points_row *row, struct err *e)
{
    struct points_answer *a = p->answer;
    int r = a->any ? answer_move(a, e) : 0;
    while (r == 0 && a->heap.n == 0 && a->next < a->nparts)
        r = answer_open_parts(p, e);
    if (r == 0 && a->heap.n == 0)
        return answer_spill_check(a->spill, e);
    if (r < 0)
        return r;
    a->head = goheap_pop(&a->heap).series;
    /* The heap of parts lies in the spill, too. */
    if ((r = answer_spill_check(a->spill, e)) < 0)
        return r;
    a->first = !a->begun || a->time != a->times[a->head];
    a->time = a->times[a->head];
    a->any = a->begun = true;
    *row = (struct points_row){.time = a->times[a->head], .cells = a->parts[a->head].cells};
    return 1;
}

static size_t answer_pages(const struct points *p)
{
    size_t part = FOR_PAGES;
    for (size_t i = 0; i < p->nshards; i++)
        part = p->shards[i].files->nwal > 0 ? FOR_PAGES_BESIDE_WAL : part;
    return points_budget(p) / part;
}

int points_answer_open(struct points *p, struct err *e)
{
    struct points_answer *a = p->answer = calloc(1, sizeof(*a));
    if (!a)
        return no_memory(e);
    a->nparts = p->nshards;
    a->parts = calloc(a->nparts + 1, sizeof(*a->parts));
    a->times = calloc(a->nparts + 1, sizeof(*a->times));
    if (!a->parts || !a->times ||
        answer_spill_new(answer_pages(p), p->q.folder, p->q.spilled, &a->spill) < 0 ||
        answer_array_new(a->spill, sizeof(struct goheap_item), &a->heap.items) < 0)
        return no_memory(e);
    a->heap.less = answer_part_less;
    a->heap.ctx = p;
    return 0;
}

void points_answer_free(struct points_answer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->nparts; i++)
        answer_part_close(&a->parts[i]);
    free(a->parts);
    free(a->times);
    answer_array_free(a->heap.items);
    answer_spill_free(a->spill);
    free(a);
}

/*
 * A mark: struct mark_head, the numbers of the parts in the heap, and for each of these and then the head
 * a struct mark_part with the numbers of the series in its heap, unless their order is no matter. At the
 * first row of a time the current row of each series is its first one at or after that time, so that it
 * need not be told.
 */
struct mark_head {
    int64_t time;
    uint64_t next;
    uint32_t head, nheap;
};

struct mark_part {
    uint32_t nseries, head, nheap;
};
#define ANY_ORDER UINT32_MAX /* nheap */

static void answer_mark_heap(const struct goheap *h, struct buffer *mark)
{
    for (size_t i = 0; i < h->n; i++) {
        const struct goheap_item item = goheap_at(h, i);
        buffer_add(mark, &item.series, sizeof(item.series));
    }
}

static void answer_mark_part(const struct part *t, struct buffer *mark)
{
    const bool any = t->source->strict;
    const struct mark_part one = {t->source->n, t->head.series,
                                  any ? ANY_ORDER : (uint32_t)t->heap.n};
    buffer_add(mark, &one, sizeof(one));
    if (!any)
        answer_mark_heap(&t->heap, mark);
}

/* How many series a mark names. */
static uint64_t mark_count(const struct points_answer *a)
{
    uint64_t n = 0;
    for (size_t i = 0; i < a->nparts; i++)
        if (a->parts[i].source && !a->parts[i].source->strict)
            n += a->parts[i].heap.n;
    return n;
}

int points_answer_mark(const struct points *p, struct buffer *mark)
{
    const struct points_answer *a = p->answer;
    if (!a->any || !a->first || mark_count(a) > points_budget(p) / FOR_MARK / sizeof(uint32_t))
        return -EAGAIN;
    if (!mark)
        return 0;
    const struct mark_head head = {a->time, a->next, a->head, (uint32_t)a->heap.n};
    mark->n = 0;
    buffer_add(mark, &head, sizeof(head));
    answer_mark_heap(&a->heap, mark);
    for (size_t i = 0; i < a->heap.n; i++) {
        const uint32_t part = goheap_at(&a->heap, i).series;
        if (answer_spill_check(a->spill, NULL) < 0)
            return -EAGAIN;
        answer_mark_part(&a->parts[part], mark);
    }
    answer_mark_part(&a->parts[a->head], mark);
    /* What a failed spill gives is no order of series. */
    return mark->failed ? -ENOMEM : answer_spill_check(a->spill, NULL);
}

static int answer_no_mark(struct err *e)
{
    return err_set(e, -EINVAL, "not a mark of these points");
}

/* Takes n bytes off the front of a mark. to NULL: they are no matter. */
static bool mark_take(struct slice *mark, void *to, size_t n)
{
    if (n > mark->n)
        return false;
    if (to && n > 0)
        memcpy(to, mark->p, n);
    mark->p += n;
    mark->n -= n;
    return true;
}

/* Finds a series among those of a part that have rows, which are in order. */
static bool answer_find_series(struct answer_array *all, uint32_t series, struct goheap_item *out)
{
    uint64_t low = 0, n = answer_array_count(all);
    while (low < n) {
        const uint64_t middle = low + (n - low) / 2;
        *out = *(const struct goheap_item *)answer_array_at(all, middle);
        if (out->series == series)
            return true;
        if (out->series < series)
            low = middle + 1;
        else
            n = middle;
    }
    return false;
}

/* Puts the series in the heap that the mark names, in its order, and no others. */
static bool answer_take_series(struct slice *mark, struct part *t, struct answer_array *order,
                               const struct mark_part *one)
{
    struct answer_array *all = t->heap.items;
    struct goheap_item item;
    uint32_t series;
    if (one->nheap > t->heap.n || !answer_find_series(all, one->head, &t->head))
        return false;
    for (uint32_t i = 0; i < one->nheap; i++) {
        if (!mark_take(mark, &series, sizeof(series)) || !answer_find_series(all, series, &item))
            return false;
        answer_array_add(order, &item);
    }
    t->heap.n = one->nheap;
    return true;
}

/* Puts a part that was begun in the order of the mark. */
static int answer_resume_order(struct points_answer *a, uint32_t i, struct slice *mark,
                               const struct mark_part *one, struct err *e)
{
    struct part *t = &a->parts[i];
    struct answer_array *order = NULL;
    if (answer_array_new(a->spill, sizeof(struct goheap_item), &order) < 0)
        return no_memory(e);
    if (!answer_take_series(mark, t, order, one)) {
        answer_array_free(order);
        return answer_no_mark(e);
    }
    answer_array_free(t->heap.items);
    t->heap.items = order;
    return answer_part_take(a, i, e);
}

static int answer_resume_part(const struct points *p, uint32_t i, struct slice *mark, struct err *e)
{
    struct points_answer *a = p->answer;
    struct part *t = &a->parts[i];
    const size_t memory = points_budget(p) / (a->heap.n + 1);
    struct mark_part one;
    if (t->source || !mark_take(mark, &one, sizeof(one)))
        return answer_no_mark(e);
    int r = answer_part_begin(p, i, memory, a->time, e);
    if (r < 0)
        return r;
    const bool any = one.nheap == ANY_ORDER;
    if (one.nseries != t->source->n)
        return answer_no_mark(e);
    if (!any && !t->source->sorted)
        return answer_resume_order(a, i, mark, &one, e);
    /* A source that is sorted does without the order. */
    if (!any && !mark_take(mark, NULL, one.nheap * sizeof(uint32_t)))
        return answer_no_mark(e);
    r = answer_part_first(a, i, e);
    if (r == 0 && (a->times[i] == ANSWER_ENDED || t->head.series != one.head))
        r = answer_no_mark(e);
    return r;
}

/* Takes the numbers of the parts in the heap. Their times are not known yet. */
static bool answer_take_parts(struct slice *mark, struct points_answer *a, uint32_t n)
{
    struct goheap_item item = {0};
    if (n > a->nparts)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!mark_take(mark, &item.series, sizeof(item.series)) || item.series >= a->nparts)
            return false;
        answer_array_add(a->heap.items, &item);
    }
    a->heap.n = n;
    return true;
}

int points_answer_resume(struct points *p, struct slice mark, struct err *e)
{
    struct points_answer *a = p->answer;
    struct mark_head head;
    if (!mark_take(&mark, &head, sizeof(head)) || head.next > a->nparts || head.head >= a->nparts ||
        !answer_take_parts(&mark, a, head.nheap))
        return answer_no_mark(e);
    a->next = head.next;
    a->head = head.head;
    a->time = head.time;
    a->any = a->begun = true;
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->heap.n; i++) {
        struct goheap_item item = goheap_at(&a->heap, i);
        r = answer_resume_part(p, item.series, &mark, e);
        item.time = a->times[item.series];
        *(struct goheap_item *)answer_array_change(a->heap.items, i) = item;
    }
    if (r == 0)
        r = answer_resume_part(p, a->head, &mark, e);
    return r == 0 && mark.n > 0 ? answer_no_mark(e) : r;
}
