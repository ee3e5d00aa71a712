/* SPDX-License-Identifier: MIT */
/*
 * The rows of any number of series. A pass reads all series, one after the other, and puts down the
 * rows of a slice of time, and what each of these series is (its tags and fields). Each row is read once,
 * when it is given. Mostly tags alone order the series, just as they come: then all that lies near by is read
 * together. Else a row says when the next one of its series is, and a heap of series is kept as influxd's.
 *
 * A slice that is shortened (answer_slice.h) is so for the series to come; what was put down beyond its end is
 * not used.
 */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/answer_code.h"
#include "store/points/answer_rank.h"
#include "store/points/answer_rows.h"
#include "store/points/answer_slice.h"
#include "store/points/answer_source.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* A slice takes so many times the budget in the file before it is made shorter; each time that again
 * half as much has come. */
#define SPILL_BUDGETS 16

/* The parts of the budget for windows on files, for values of a series, and for rows that are gathered or
 * texts that are sorted. The rest is for the spill, and for what a process needs anyway. */
#define FOR_WINDOWS 8
#define FOR_VALUES 16
#define FOR_ROWS 16

/* A row that was read, with what its series is. */
struct spilled_row {
    struct buffer bytes;
    struct points_cell *cells;
    uint64_t delta, next; /* to the series' next row */
};

struct spilled {
    struct answer_source source; /* first */
    const struct points *p;
    size_t shard;
    struct points_stream_limits limits;
    struct blockpool pool;
    bool known; /* the series have been counted */
    struct answer_spill *spill;
    struct answer_rank *rank;
    struct answer_array *heads; /* of the series in the slice: the length and the bytes of each */
    struct answer_rows *rows;
    struct answer_slice slice;
    struct series series; /* while a pass is made */
    struct buffer values, head;
    struct spilled_row taken, compared[2];
    uint64_t again; /* while series are ranked: the place of the next one's head */
    int failed;     /* in less */
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

/* After a failure of the spill it may only look so. */
static int spilled_changed(const struct spilled *s, struct err *e)
{
    int r = answer_spill_check(s->spill, e);
    return r < 0 ? r : err_set(e, -EIO, "a shard has changed while it was read");
}

/* The same of rows that are not as they were put down. */
static int spilled_bad(const struct spilled *s, struct err *e)
{
    int r = answer_spill_check(s->spill, e);
    return r < 0 ? r : err_set(e, -EIO, "a temporary file with rows of an answer has changed");
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
    answer_array_free(s->heads);
    answer_rows_free(s->rows);
    answer_rank_free(s->rank);
    blockpool_free(&s->pool);
    free(s);
}

static void spilled_freep(struct spilled **s)
{
    if (*s)
        spilled_free(&(*s)->source);
}

/* Puts down what the series is. */
static int spilled_put_head(struct spilled *s, uint32_t i, struct err *e)
{
    s->head.n = 0;
    answer_put_series(&s->head, i, &s->series, &s->p->columns);
    if (s->head.failed)
        return no_memory(e);
    answer_array_put(s->heads, &s->head.n, sizeof(s->head.n));
    answer_array_put(s->heads, s->head.p, s->head.n);
    return 0;
}

/* Puts down the current row of the series whose head lies at a place, and moves to its next one. */
static int spilled_put_row(struct spilled *s, uint64_t place, struct err *e)
{
    struct series *one = &s->series;
    const int64_t time = one->time;
    s->head.n = s->values.n = 0;
    answer_put_values(&s->values, one);
    int r = series_next(one, e);
    if (r < 0)
        return r;
    answer_put_row(&s->head, place, one->done ? 0 : (uint64_t)one->time - (uint64_t)time);
    answer_slice_note(&s->slice, time);
    if (s->head.failed || s->values.failed ||
        answer_rows_put(s->rows, time, (struct slice){s->head.p, s->head.n},
                        (struct slice){s->values.p, s->values.n}) < 0)
        return no_memory(e);
    return answer_spill_check(s->spill, e);
}

static uint64_t spilled_size(const struct spilled *s)
{
    return answer_rows_size(s->rows) + answer_array_count(s->heads);
}

/* Puts down the series and its rows in the slice; and, if texts of rows may have to decide between those
 * of the same time, its first one after the slice. */
static int spilled_put(struct spilled *s, uint32_t i, struct err *e)
{
    const uint64_t place = answer_array_count(s->heads);
    bool beyond = false;
    int r = spilled_put_head(s, i, e);
    while (r == 0 && !s->series.done && !beyond) {
        beyond = s->series.time >= s->slice.end;
        if (beyond)
            answer_slice_go_on(&s->slice, s->series.time);
        if (beyond && !answer_rank_fields(s->rank))
            break;
        r = spilled_put_row(s, place, e);
        if (spilled_size(s) > s->slice.limit)
            answer_slice_shorten(&s->slice);
    }
    return r;
}

/* No row of the series is before this time. */
static int64_t spilled_bound(const struct stream_series *one)
{
    int64_t bound = INT64_MAX;
    for (size_t i = 0; i < one->nfields; i++) {
        const int64_t field = cursor_bound(&one->fields[i].cursor);
        bound = field < bound ? field : bound;
    }
    return bound;
}

/* Whether all that the series has is after the slice, as far as is known without reading it. */
static bool spilled_passes_over(struct spilled *s, const struct stream_series *one)
{
    if (!s->known || answer_rank_fields(s->rank))
        return false;
    const int64_t bound = spilled_bound(one);
    if (bound < s->slice.end)
        return false;
    answer_slice_go_on(&s->slice, bound);
    return true;
}

/* The next series of a pass. In the first one, `first` gets its first row. */
static int spilled_series(struct spilled *s, uint32_t i, const struct stream_series *from,
                          struct answer_array *first, struct err *e)
{
    answer_rows_begin(s->rows, i);
    if (spilled_passes_over(s, from))
        return 0;
    if (series_set(&s->series, from, &s->p->columns, true) < 0)
        return no_memory(e);
    int r = series_first(&s->series, e);
    if (r < 0)
        return r;
    const struct goheap_item item = {.time = s->series.time, .series = i};
    if (!s->known && answer_rank_see(s->rank, s->series.done ? NULL : s->series.cells) < 0)
        return no_memory(e);
    if (!s->known && !s->series.done)
        answer_array_add(first, &item);
    return s->series.done ? 0 : spilled_put(s, i, e);
}

/* Makes room for one more series. */
static int spilled_count(struct spilled *s, uint32_t i, struct err *e)
{
    if (s->known)
        return i < s->source.n ? 0 : spilled_changed(s, e);
    if (i == UINT32_MAX)
        return err_set(e, -E2BIG, "more than four billion series");
    s->source.n = i + 1;
    return 0;
}

/* Puts down the slice. */
static int spilled_pass(struct spilled *s, struct answer_array *first, struct err *e)
{
    cleanup(seriesstream_freep) struct seriesstream *stream = NULL;
    struct stream_series one;
    s->limits.range.min = s->slice.begin;
    int r = points_stream(s->p, s->shard, &s->limits, &stream, e);
    for (uint32_t i = 0; r == 0 && (r = seriesstream_next(stream, &one, e)) == 1; i++) {
        r = reader_interrupted(s->p->q.reader) ? err_set(e, -EINTR, "interrupted") : 0;
        if (r == 0)
            r = spilled_count(s, i, e);
        if (r == 0)
            r = spilled_series(s, i, &one, first, e);
    }
    if (answer_rows_end(s->rows) < 0 && r == 0)
        r = no_memory(e);
    return r == 0 ? answer_spill_check(s->spill, e) : r;
}

static void spilled_begin(struct spilled *s, int64_t from)
{
    answer_slice_begin(&s->slice, from, s->p->q.to, spilled_size(s));
    answer_rows_clear(s->rows, !s->known          ? ANSWER_ROWS_BY_SERIES | ANSWER_ROWS_BY_TIME
                               : s->source.sorted ? ANSWER_ROWS_BY_TIME
                                                  : ANSWER_ROWS_BY_SERIES);
    answer_array_clear(s->heads);
    if (s->p->q.spilled)
        s->p->q.spilled->slices++;
}

/* Adds the bytes of the head at a place, and moves the place on. */
static int spilled_head(struct spilled *s, uint64_t *place, struct buffer *to, struct err *e)
{
    size_t n = 0;
    answer_array_take(s->heads, *place, &n, sizeof(n));
    char *p = buffer_reserve(to, n);
    if (!p)
        return no_memory(e);
    answer_array_take(s->heads, *place + sizeof(n), p, n);
    to->n += n;
    *place += sizeof(n) + n;
    return answer_spill_check(s->spill, e);
}

/* Makes the cells of a row of series i, whose bytes have been read. */
static int spilled_cells(struct spilled *s, uint32_t i, struct spilled_row *row, struct err *e)
{
    struct answer_row head = {0};
    uint32_t number = 0;
    const size_t n = row->bytes.n;
    struct slice values = {row->bytes.p, n};
    bool good = answer_take_row(&values, &head);
    int r = spilled_head(s, &head.place, &row->bytes, e);
    if (r < 0)
        return r;
    struct slice series = {row->bytes.p + n, row->bytes.n - n};
    values.p = row->bytes.p + n - values.n; /* they may have moved */
    good = good && answer_take_number(&series, &number) && number == i &&
           answer_take_cells(&s->p->columns, series, &values, row->cells);
    row->delta = head.delta;
    return good ? 0 : spilled_bad(s, e);
}

/* Reads the current row of a series. */
static int spilled_read(struct spilled *s, uint32_t i, struct spilled_row *row, struct err *e)
{
    row->bytes.n = 0;
    int r = answer_rows_take(s->rows, i, &row->bytes, &row->next);
    if (r < 0)
        return r == -ENOENT ? spilled_changed(s, e) : no_memory(e);
    return spilled_cells(s, i, row, e);
}

static int spilled_again(void *ctx, uint32_t *i, const struct points_cell **cells, struct err *e)
{
    struct spilled *s = ctx;
    struct buffer *bytes = &s->taken.bytes;
    if (s->again == answer_array_count(s->heads))
        return 0;
    if (reader_interrupted(s->p->q.reader))
        return err_set(e, -EINTR, "interrupted");
    bytes->n = 0;
    int r = spilled_head(s, &s->again, bytes, e);
    struct slice series = {bytes->p, bytes->n};
    if (r < 0)
        return r;
    if (!answer_take_number(&series, i) ||
        !answer_take_cells(&s->p->columns, series, NULL, s->taken.cells))
        return spilled_bad(s, e);
    *cells = s->taken.cells;
    return 1;
}

/* Ranks the series, after the first pass. */
static int spilled_rank(struct spilled *s, struct answer_array *first, struct err *e)
{
    const struct answer_rank_again again = {spilled_again, s};
    int r = answer_rank_finish(s->rank, &again, e);
    if (r < 0)
        return r;
    s->known = true;
    s->source.strict = answer_rank_strict(s->rank);
    s->source.sorted = answer_rank_sorted(s->rank);
    if (s->source.sorted)
        answer_array_clear(first);
    for (uint64_t i = 0; i < answer_array_count(first); i++) {
        struct goheap_item item = *(const struct goheap_item *)answer_array_at(first, i);
        item.order = answer_rank_of(s->rank, item.series);
        *(struct goheap_item *)answer_array_change(first, i) = item;
    }
    return answer_spill_check(s->spill, e);
}

static int spilled_load(struct answer_source *source, int64_t from, struct answer_array *first,
                        struct err *e)
{
    struct spilled *s = of(source);
    spilled_begin(s, from);
    int r = spilled_pass(s, first, e);
    if (r == 0 && !s->known)
        r = spilled_rank(s, first, e);
    if (r == 0 && source->sorted && answer_rows_sort(s->rows, s->slice.end) < 0)
        r = no_memory(e);
    source->until = s->slice.end < s->p->q.to ? s->slice.end : ANSWER_ENDED;
    return r;
}

static int spilled_pop(struct answer_source *source, struct goheap_item *row,
                       const struct points_cell **cells, struct err *e)
{
    struct spilled *s = of(source);
    struct buffer *bytes = &s->taken.bytes;
    int some, r = answer_spill_check(s->spill, e);
    *cells = s->taken.cells;
    for (bytes->n = 0; r == 0; r = spilled_load(source, s->slice.after, NULL, e)) {
        some = answer_rows_least(s->rows, bytes, &row->time, &row->series);
        if (some < 0)
            return some == -EIO ? spilled_bad(s, e) : no_memory(e);
        if (some)
            return spilled_cells(s, row->series, &s->taken, e);
        row->time = ANSWER_ENDED;
        if (s->slice.after >= s->p->q.to)
            return answer_spill_check(s->spill, e);
    }
    return r;
}

static int spilled_take(struct answer_source *source, uint32_t i, const struct points_cell **cells,
                        struct err *e)
{
    struct spilled *s = of(source);
    int r = answer_spill_check(s->spill, e);
    if (r < 0)
        return r;
    if (s->failed < 0)
        return err_set(e, s->failed, "%s", s->why.text);
    *cells = s->taken.cells;
    return spilled_read(s, i, &s->taken, e);
}

static int spilled_next(struct answer_source *source, uint32_t i, int64_t *time, struct err *e)
{
    struct spilled *s = of(source);
    const uint64_t delta = s->taken.delta;
    (void)e;
    *time = delta ? (int64_t)((uint64_t)*time + delta) : ANSWER_ENDED;
    answer_rows_move(s->rows, i, s->taken.next);
    return 0;
}

static bool spilled_less(void *source, const struct goheap_item *a, const struct goheap_item *b)
{
    struct spilled *s = of(source);
    if (s->source.strict)
        return a->order < b->order;
    const int c = answer_rank_compare(s->rank, a->order, b->order);
    if (c || !answer_rank_fields(s->rank))
        return c < 0;
    if (s->failed == 0)
        s->failed = spilled_read(s, a->series, &s->compared[0], &s->why);
    if (s->failed == 0)
        s->failed = spilled_read(s, b->series, &s->compared[1], &s->why);
    return s->failed == 0 &&
           series_cells_less(s->compared[0].cells, s->compared[1].cells, s->p->columns.n);
}

static const struct answer_source_ops spilled_ops = {
    .load = spilled_load,
    .pop = spilled_pop,
    .take = spilled_take,
    .next = spilled_next,
    .less = spilled_less,
    .free = spilled_free,
};

static bool spilled_row_init(struct spilled_row *r, size_t ncells)
{
    return (r->cells = calloc(ncells + 1, sizeof(*r->cells))) != NULL;
}

int answer_spilled_open(const struct points *p, size_t i, size_t memory, struct answer_spill *spill,
                        struct answer_source **out, struct err *e)
{
    cleanup(spilled_freep) struct spilled *s = calloc(1, sizeof(*s));
    const size_t n = p->columns.n;
    if (!s || answer_array_new(spill, 1, &s->heads) < 0 ||
        answer_rows_new(spill, memory / FOR_ROWS, &s->rows) < 0 ||
        answer_rank_new(&p->columns, spill, memory / FOR_ROWS, &s->rank) < 0 ||
        !spilled_row_init(&s->taken, n) || !spilled_row_init(&s->compared[0], n) ||
        !spilled_row_init(&s->compared[1], n))
        return no_memory(e);
    s->source.ops = &spilled_ops;
    s->p = p;
    s->shard = i;
    s->spill = spill;
    s->limits = (struct points_stream_limits){
        .range = {p->q.from, p->q.to - 1},
        .memory = points_divide(p, i, 1, points_budget(p)), /* a pass at a time */
        .window = points_window(p, memory / FOR_WINDOWS),
        .values = memory / FOR_VALUES / (sizeof(int64_t) + sizeof(union value)),
        .pool = &s->pool,
    };
    s->slice.most = (uint64_t)SPILL_BUDGETS * memory;
    *out = &steal_ptr(&s)->source;
    return 0;
}
