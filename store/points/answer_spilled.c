/* SPDX-License-Identifier: MIT */
/*
 * The rows of any number of series. A pass reads all series, one after the other, and puts down the
 * rows of a slice of time: of each series what it is (its tags and fields), then the rows. A row says
 * when the next one is, so that each is read once, when it is given.
 *
 * How much a slice holds is known only as it is put down. When it becomes too much, the slice ends
 * earlier for the series to come, in the middle of the times seen so far; what was put down beyond
 * that is not used. The next slice is as long, or longer if there was room.
 */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/answer_code.h"
#include "store/points/answer_rank.h"
#include "store/points/answer_source.h"
#include "store/points/answer_spill.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* A slice takes so many times the budget in the file before it is made shorter; each time that again
 * half as much has come. */
#define SPILL_BUDGETS 16

/* The parts of the budget for windows on files, for values of a series, and for the spill in memory.
 * The rest is for what stands for series, and for what a process needs anyway. */
#define FOR_WINDOWS 8
#define FOR_VALUES 16
#define FOR_SPILL 4

/* A slice of time: begin <= time < end. */
struct slice_of_time {
    int64_t begin, end;
    int64_t first, last;  /* times of its rows that were put down; first > last: none */
    uint64_t most, limit; /* bytes: of a usual one; at which this one becomes shorter */
};

static void slice_note(struct slice_of_time *t, int64_t time)
{
    if (time >= t->end)
        return;
    t->first = time < t->first ? time : t->first;
    t->last = time > t->last ? time : t->last;
}

/* Lets it end in the middle of the times seen so far, but after the first of them. */
static void slice_shorten(struct slice_of_time *t)
{
    const int64_t last = t->last < t->end ? t->last : t->end - 1;
    if (t->first <= last)
        t->end = t->first + (int64_t)(((uint64_t)last - (uint64_t)t->first) / 2) + 1;
    t->limit += t->most / 2;
}

/* A row that was read, with what its series is. */
struct spilled_row {
    struct buffer bytes;
    struct points_cell *cells;
    int64_t time;        /* of the series' next row */
    uint64_t next_place; /* where that is */
};

struct spilled {
    struct answer_source source; /* first */
    const struct points *p;
    size_t shard;
    struct points_stream_limits limits;
    struct blockpool pool;
    bool known;       /* the series have been counted */
    uint64_t *places; /* of the current rows, those before source.until */
    struct answer_rank *rank;
    struct answer_spill *spill;
    struct slice_of_time slice;
    struct series series; /* while a pass is made */
    struct buffer values, head;
    struct spilled_row taken, compared[2];
    int failed; /* in less */
    struct err why;
};

static struct spilled *of(struct answer_source *s)
{
    return (struct spilled *)s;
}

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

static void spilled_row_free(struct spilled_row *r)
{
    buffer_free(&r->bytes);
    free(r->cells);
}

static void spilled_free(struct answer_source *source)
{
    struct spilled *s = of(source);
    spilled_row_free(&s->taken);
    spilled_row_free(&s->compared[0]);
    spilled_row_free(&s->compared[1]);
    series_free(&s->series);
    buffer_free(&s->values);
    buffer_free(&s->head);
    answer_spill_free(s->spill);
    answer_rank_free(s->rank);
    blockpool_free(&s->pool);
    free(s->places);
    free(source->times);
    free(s);
}

static void spilled_freep(struct spilled **s)
{
    if (*s)
        spilled_free(&(*s)->source);
}

/* Puts down a record: the bytes of head and values. */
static int spilled_put(struct spilled *s, struct err *e)
{
    const uint32_t n = (uint32_t)(s->head.n + s->values.n);
    if (s->head.failed || s->values.failed || n != s->head.n + s->values.n)
        return no_memory(e);
    int r = answer_spill_add(s->spill, &n, sizeof(n), e);
    if (r == 0)
        r = answer_spill_add(s->spill, s->head.p, s->head.n, e);
    return r == 0 ? answer_spill_add(s->spill, s->values.p, s->values.n, e) : r;
}

static int spilled_put_series(struct spilled *s, struct err *e)
{
    s->head.n = s->values.n = 0;
    answer_put_series(&s->head, &s->series, &s->p->columns);
    return spilled_put(s, e);
}

/* Puts down the current row of the series that begins at a place, and moves to its next one. */
static int spilled_put_row(struct spilled *s, uint64_t place, struct err *e)
{
    struct series *one = &s->series;
    const int64_t time = one->time;
    s->head.n = s->values.n = 0;
    answer_put_values(&s->values, one);
    int r = series_next(one, e);
    if (r < 0)
        return r;
    answer_put_uvarint(&s->head, answer_spill_size(s->spill) - place);
    answer_put_uvarint(&s->head, one->done ? 0 : (uint64_t)one->time - (uint64_t)time);
    slice_note(&s->slice, time);
    return spilled_put(s, e);
}

/* Whether the first row after the slice is needed too: its texts may decide between rows of the same
 * time; and at first, tags are still to be looked at. */
static bool needs_one_more(const struct spilled *s)
{
    return !s->known || answer_rank_fields(s->rank);
}

/* Puts down the rows of the series in the slice. */
static int spilled_put_rows(struct spilled *s, uint32_t i, struct err *e)
{
    const uint64_t place = answer_spill_size(s->spill);
    bool beyond = false;
    int r = spilled_put_series(s, e);
    s->places[i] = answer_spill_size(s->spill);
    while (r == 0 && !s->series.done && !beyond) {
        beyond = s->series.time >= s->slice.end;
        if (beyond && !needs_one_more(s))
            break;
        r = spilled_put_row(s, place, e);
        if (answer_spill_size(s->spill) > s->slice.limit)
            slice_shorten(&s->slice);
    }
    return r;
}

/* Makes room for one more series. */
static int spilled_grow(struct spilled *s, uint32_t i, struct err *e)
{
    if (i == UINT32_MAX)
        return err_set(e, -E2BIG, "more than four billion series");
    if (!array_grow(&s->source.times, i) || !array_grow(&s->places, i))
        return no_memory(e);
    s->source.n = i + 1;
    return 0;
}

static int spilled_series(struct spilled *s, uint32_t i, const struct stream_series *from,
                          struct err *e)
{
    int64_t *time = &s->source.times[i];
    if (s->known && (*time == ANSWER_ENDED || (*time >= s->slice.end && !needs_one_more(s))))
        return 0;
    if (series_set(&s->series, from, &s->p->columns, true) < 0)
        return no_memory(e);
    int r = series_first(&s->series, e);
    if (r < 0)
        return r;
    const int64_t first = s->series.done ? ANSWER_ENDED : s->series.time;
    if (s->known && *time != first)
        return err_set(e, -EIO, "a shard has changed while it was read");
    *time = first;
    if (!s->known && answer_rank_see(s->rank, s->series.done ? NULL : s->series.cells) < 0)
        return no_memory(e);
    return s->series.done ? 0 : spilled_put_rows(s, i, e);
}

/* Puts down the slice. */
static int spilled_pass(struct spilled *s, struct err *e)
{
    cleanup(seriesstream_freep) struct seriesstream *stream = NULL;
    struct stream_series one;
    uint32_t i = 0;
    s->limits.range.min = s->slice.begin;
    int r = points_stream(s->p, s->shard, &s->limits, &stream, e);
    for (; r == 0 && (r = seriesstream_next(stream, &one, e)) == 1; i++) {
        r = reader_interrupted(s->p->q.reader) ? err_set(e, -EINTR, "interrupted") : 0;
        if (r == 0 && !s->known)
            r = spilled_grow(s, i, e);
        else if (r == 0 && i >= s->source.n)
            r = err_set(e, -EIO, "a shard has changed while it was read");
        if (r == 0)
            r = spilled_series(s, i, &one, e);
    }
    return r == 0 ? answer_spill_look(s->spill, i, e) : r;
}

/* The slice that begins at a time, at which a row is. */
static void spilled_begin(struct spilled *s, int64_t from)
{
    struct slice_of_time *t = &s->slice;
    const int64_t to = s->p->q.to;
    uint64_t length = (uint64_t)to - (uint64_t)from;
    if (s->known) {
        uint64_t last = (uint64_t)t->end - (uint64_t)t->first;
        if (answer_spill_size(s->spill) < t->most / 2 && last <= UINT64_MAX / 2)
            last *= 2;
        length = last < length ? last : length;
    }
    t->begin = from;
    t->end = (int64_t)((uint64_t)from + length);
    t->first = INT64_MAX;
    t->last = INT64_MIN;
    t->limit = t->most;
}

/* Adds the record at a place to the bytes. */
static int spilled_record(struct spilled *s, uint64_t place, struct buffer *to, uint64_t *after,
                          struct err *e)
{
    uint32_t n = 0;
    int r = answer_spill_read(s->spill, place, &n, sizeof(n), e);
    if (r < 0)
        return r;
    char *p = buffer_reserve(to, n);
    if (!p)
        return no_memory(e);
    *after = place + sizeof(n) + n;
    to->n += n;
    return answer_spill_read(s->spill, place + sizeof(n), p, n, e);
}

/* Reads the current row of a series. */
static int spilled_read(struct spilled *s, uint32_t i, struct spilled_row *row, struct err *e)
{
    const uint64_t place = s->places[i];
    struct answer_row head = {0};
    uint64_t after;
    row->bytes.n = 0;
    int r = spilled_record(s, place, &row->bytes, &row->next_place, e);
    const size_t n = row->bytes.n;
    if (r < 0)
        return r;
    bool good = answer_take_row((struct slice){row->bytes.p, n}, &head) && head.distance <= place;
    if (good)
        r = spilled_record(s, place - head.distance, &row->bytes, &after, e);
    if (r < 0)
        return r;
    const char *p = row->bytes.p;
    good =
        good && answer_take_cells(&s->p->columns, (struct slice){p + n, row->bytes.n - n},
                                  (struct slice){p + n - head.nvalues, head.nvalues}, row->cells);
    if (!good)
        return err_set(e, -EIO, "a temporary file with rows of an answer has changed");
    const uint64_t next = (uint64_t)s->source.times[i] + head.delta;
    row->time = head.delta ? (int64_t)next : ANSWER_ENDED;
    return 0;
}

static int spilled_again(void *ctx, uint32_t i, const struct points_cell **cells, struct err *e)
{
    struct spilled *s = ctx;
    *cells = s->taken.cells;
    if (reader_interrupted(s->p->q.reader))
        return err_set(e, -EINTR, "interrupted");
    return spilled_read(s, i, &s->taken, e);
}

static bool spilled_has_rows(void *ctx, uint32_t i)
{
    return of(ctx)->source.times[i] != ANSWER_ENDED;
}

static int spilled_load(struct answer_source *source, int64_t from, struct err *e)
{
    struct spilled *s = of(source);
    const struct answer_rank_again again = {spilled_again, spilled_has_rows, s};
    spilled_begin(s, from);
    answer_spill_clear(s->spill);
    int r = spilled_pass(s, e);
    if (r == 0 && !s->known)
        r = answer_rank_finish(s->rank, &again, e);
    s->known = true;
    source->until = s->slice.end < s->p->q.to ? s->slice.end : ANSWER_ENDED;
    return r;
}

static int spilled_take(struct answer_source *source, uint32_t i, const struct points_cell **cells,
                        struct err *e)
{
    struct spilled *s = of(source);
    if (s->failed < 0)
        return err_set(e, s->failed, "%s", s->why.text);
    *cells = s->taken.cells;
    return spilled_read(s, i, &s->taken, e);
}

static int spilled_next(struct answer_source *source, uint32_t i, struct err *e)
{
    struct spilled *s = of(source);
    (void)e;
    source->times[i] = s->taken.time;
    s->places[i] = s->taken.next_place;
    return 0;
}

static bool spilled_less(void *source, uint32_t a, uint32_t b)
{
    struct spilled *s = of(source);
    const int c = answer_rank_compare(s->rank, a, b);
    if (c || !answer_rank_fields(s->rank))
        return c < 0;
    if (s->failed == 0)
        s->failed = spilled_read(s, a, &s->compared[0], &s->why);
    if (s->failed == 0)
        s->failed = spilled_read(s, b, &s->compared[1], &s->why);
    return s->failed == 0 &&
           series_cells_less(s->compared[0].cells, s->compared[1].cells, s->p->columns.n);
}

static const struct answer_source_ops spilled_ops = {
    .load = spilled_load,
    .take = spilled_take,
    .next = spilled_next,
    .less = spilled_less,
    .free = spilled_free,
};

static bool spilled_row_init(struct spilled_row *r, size_t ncells)
{
    return (r->cells = calloc(ncells + 1, sizeof(*r->cells))) != NULL;
}

int answer_spilled_open(const struct points *p, size_t i, size_t memory, struct answer_source **out,
                        struct err *e)
{
    cleanup(spilled_freep) struct spilled *s = calloc(1, sizeof(*s));
    const size_t n = p->columns.n;
    if (!s || answer_spill_new(memory / FOR_SPILL, p->q.folder, &s->spill) < 0 ||
        answer_rank_new(&p->columns, &s->rank) < 0 || !spilled_row_init(&s->taken, n) ||
        !spilled_row_init(&s->compared[0], n) || !spilled_row_init(&s->compared[1], n))
        return no_memory(e);
    s->source.ops = &spilled_ops;
    s->p = p;
    s->shard = i;
    s->limits = (struct points_stream_limits){
        .range = {p->q.from, p->q.to - 1},
        .window = points_window(p, memory / FOR_WINDOWS),
        .values = memory / FOR_VALUES / (sizeof(int64_t) + sizeof(union value)),
        .pool = &s->pool,
    };
    s->slice.most = (uint64_t)SPILL_BUDGETS * memory;
    *out = &steal_ptr(&s)->source;
    return 0;
}
