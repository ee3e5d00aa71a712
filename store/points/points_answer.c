/* SPDX-License-Identifier: MIT */
/* Rows as influxd's iterators merge them: a heap of series for each shard, and one of shards. */
#include "store/points/answer_source.h"
#include "store/points/goheap.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* The measurement in one shard of the range. */
struct part {
    struct answer_source *source;
    struct goheap heap; /* of its series */
    uint32_t head;      /* the series that was removed from the heap, if the part has not ended */
    const struct points_cell *cells; /* of its row */
};

struct points_answer {
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
    free(t->heap.items);
    *t = (struct part){.source = NULL};
}

/* Removes the least series from the heap, and takes its row. */
static int answer_part_pop(struct points_answer *a, uint32_t i, struct err *e)
{
    struct part *t = &a->parts[i];
    struct answer_source *s = t->source;
    a->times[i] = ANSWER_ENDED;
    if (t->heap.n == 0)
        return 0;
    const int64_t time = s->times[t->heap.items[0]];
    int r = time < s->until ? 0 : s->ops->load(s, time, e);
    if (r < 0)
        return r;
    a->times[i] = time;
    t->head = goheap_pop(&t->heap);
    return s->ops->take(s, t->head, &t->cells, e);
}

static int answer_part_next(struct points_answer *a, uint32_t i, struct err *e)
{
    struct part *t = &a->parts[i];
    int r = t->source->ops->next(t->source, t->head, e);
    if (r < 0)
        return r;
    if (t->source->times[t->head] != ANSWER_ENDED)
        goheap_push(&t->heap, t->head);
    return answer_part_pop(a, i, e);
}

/* Opens a part at a time. Its heap is empty. */
static int answer_part_begin(const struct points *p, uint32_t i, size_t memory, int64_t from,
                             struct err *e)
{
    struct part *t = &p->answer->parts[i];
    int r = answer_source_open(p, i, memory, &t->source, e);
    if (r == 0)
        r = t->source->ops->load(t->source, from, e);
    if (r < 0)
        return r;
    t->heap =
        (struct goheap){.times = t->source->times, .less = t->source->ops->less, .ctx = t->source};
    t->heap.items = calloc((size_t)t->source->n + 1, sizeof(*t->heap.items));
    return t->heap.items ? 0 : no_memory(e);
}

static int answer_part_open(const struct points *p, uint32_t i, size_t memory, struct err *e)
{
    struct part *t = &p->answer->parts[i];
    int r = answer_part_begin(p, i, memory, p->q.from, e);
    if (r < 0)
        return r;
    for (uint32_t k = 0; k < t->source->n; k++)
        if (t->source->times[k] != ANSWER_ENDED)
            t->heap.items[t->heap.n++] = k;
    goheap_init(&t->heap);
    return answer_part_pop(p->answer, i, e);
}

static bool answer_part_less(void *ctx, uint32_t a, uint32_t b)
{
    const struct points *p = ctx;
    const struct part *parts = p->answer->parts;
    return series_cells_less(parts[a].cells, parts[b].cells, p->columns.n);
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
    const size_t memory = points_memory(p) / n;
    for (; n > 0; n--) {
        uint32_t i = (uint32_t)a->next++;
        int r = answer_part_open(p, i, memory, e);
        if (r < 0)
            return r;
        if (a->times[i] != ANSWER_ENDED)
            a->heap.items[a->heap.n++] = i;
        else
            answer_part_close(&a->parts[i]);
    }
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
        goheap_push(&a->heap, a->head);
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
    if (r < 0 || a->heap.n == 0)
        return r;
    a->head = goheap_pop(&a->heap);
    a->first = !a->begun || a->time != a->times[a->head];
    a->time = a->times[a->head];
    a->any = a->begun = true;
    *row = (struct points_row){.time = a->times[a->head], .cells = a->parts[a->head].cells};
    return 1;
}

int points_answer_open(struct points *p, struct err *e)
{
    struct points_answer *a = p->answer = calloc(1, sizeof(*a));
    if (!a)
        return no_memory(e);
    a->nparts = p->nshards;
    a->parts = calloc(a->nparts + 1, sizeof(*a->parts));
    a->times = calloc(a->nparts + 1, sizeof(*a->times));
    a->heap.items = calloc(a->nparts + 1, sizeof(*a->heap.items));
    if (!a->parts || !a->times || !a->heap.items)
        return no_memory(e);
    a->heap.times = a->times;
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
    free(a->heap.items);
    free(a);
}

/*
 * A mark: struct mark_head, the numbers of the parts in the heap, and for each of these and then the head
 * a struct mark_part with the numbers of the series in its heap. At the first row of a time the current
 * row of each series is its first one at or after that time, so that it need not be told.
 */
struct mark_head {
    int64_t time;
    uint64_t next;
    uint32_t head, nheap;
};

struct mark_part {
    uint32_t nseries, head, nheap;
};

static void answer_mark_part(const struct part *t, struct buffer *mark)
{
    const struct mark_part one = {t->source->n, t->head, (uint32_t)t->heap.n};
    buffer_add(mark, &one, sizeof(one));
    buffer_add(mark, t->heap.items, t->heap.n * sizeof(*t->heap.items));
}

int points_answer_mark(const struct points *p, struct buffer *mark)
{
    const struct points_answer *a = p->answer;
    if (!a->any || !a->first)
        return -EAGAIN;
    if (!mark)
        return 0;
    const struct mark_head head = {a->time, a->next, a->head, (uint32_t)a->heap.n};
    mark->n = 0;
    buffer_add(mark, &head, sizeof(head));
    buffer_add(mark, a->heap.items, a->heap.n * sizeof(*a->heap.items));
    for (size_t i = 0; i < a->heap.n; i++)
        answer_mark_part(&a->parts[a->heap.items[i]], mark);
    answer_mark_part(&a->parts[a->head], mark);
    return mark->failed ? -ENOMEM : 0;
}

static int answer_no_mark(struct err *e)
{
    return err_set(e, -EINVAL, "not a mark of these points");
}

/* Takes n bytes off the front of a mark. */
static bool mark_take(struct slice *mark, void *to, size_t n)
{
    if (n > mark->n)
        return false;
    if (n > 0)
        memcpy(to, mark->p, n);
    mark->p += n;
    mark->n -= n;
    return true;
}

/* Takes numbers of a heap, each below `limit` and of one that has rows. */
static bool mark_take_heap(struct slice *mark, struct goheap *h, size_t n, size_t limit)
{
    if (n > limit || !mark_take(mark, h->items, n * sizeof(*h->items)))
        return false;
    h->n = n;
    for (size_t i = 0; i < n; i++)
        if (h->items[i] >= limit || h->times[h->items[i]] == ANSWER_ENDED)
            return false;
    return true;
}

static int answer_resume_part(const struct points *p, uint32_t i, struct slice *mark, struct err *e)
{
    struct points_answer *a = p->answer;
    struct part *t = &a->parts[i];
    struct mark_part one;
    if (t->source || !mark_take(mark, &one, sizeof(one)))
        return answer_no_mark(e);
    int r = answer_part_begin(p, i, points_memory(p) / (a->heap.n + 1), a->time, e);
    if (r < 0)
        return r;
    const struct answer_source *s = t->source;
    if (one.nseries != s->n || one.head >= s->n || s->times[one.head] == ANSWER_ENDED ||
        !mark_take_heap(mark, &t->heap, one.nheap, s->n))
        return answer_no_mark(e);
    t->head = one.head;
    a->times[i] = s->times[one.head];
    return s->ops->take(t->source, t->head, &t->cells, e);
}

int points_answer_resume(struct points *p, struct slice mark, struct err *e)
{
    struct points_answer *a = p->answer;
    struct mark_head head;
    if (!mark_take(&mark, &head, sizeof(head)) || head.next > a->nparts || head.head >= a->nparts ||
        !mark_take_heap(&mark, &a->heap, head.nheap, a->nparts))
        return answer_no_mark(e);
    a->next = head.next;
    a->head = head.head;
    a->time = head.time;
    a->any = a->begun = true;
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->heap.n; i++)
        r = answer_resume_part(p, a->heap.items[i], &mark, e);
    if (r == 0)
        r = answer_resume_part(p, a->head, &mark, e);
    return r == 0 && mark.n > 0 ? answer_no_mark(e) : r;
}
