/* SPDX-License-Identifier: MIT */
/*
 * What was gathered is put down from its latest row on, so that each row can say where its successor
 * lies: that was put down before it.
 */
#include "store/points/answer_rows.h"

#include "store/base/array.h"
#include "store/points/answer_runs.h"

#include <errno.h>
#include <stddef.h>

/* A row that was gathered: its bytes begin at `at`. */
struct gathered {
    int64_t time;
    uint32_t series, n;
    size_t at;
};

struct answer_rows {
    size_t memory;
    struct answer_array *rows;   /* bytes; the first is not used */
    struct answer_array *places; /* by series: of its current row's record; 0: none */
    struct answer_runs runs;     /* what was put down at once */
    unsigned ways;               /* in which they are to be read */
    uint32_t series;             /* the current one */
    uint64_t open;               /* the place of the last row that was put down of one that */
    uint32_t open_series;        /* was current then, and may have more; 0: it had none */
    struct buffer bytes;
    struct gathered *list;
    size_t n, room;
};

int answer_rows_new(struct answer_spill *spill, size_t memory, struct answer_rows **out)
{
    struct answer_rows *r = calloc(1, sizeof(*r));
    if (!r || answer_array_new(spill, 1, &r->rows) < 0 ||
        answer_array_new(spill, sizeof(uint64_t), &r->places) < 0) {
        answer_rows_free(r);
        return -ENOMEM;
    }
    r->memory = memory;
    *out = r;
    return 0;
}

static void rows_forget(struct answer_rows *r)
{
    buffer_free(&r->bytes);
    free(r->list);
    r->list = NULL;
    r->n = r->room = 0;
}

void answer_rows_free(struct answer_rows *r)
{
    if (!r)
        return;
    rows_forget(r);
    answer_array_free(r->rows);
    answer_array_free(r->places);
    answer_runs_free(&r->runs);
    free(r);
}

void answer_rows_clear(struct answer_rows *r, unsigned ways)
{
    answer_array_clear(r->rows);
    answer_array_put(r->rows, "", 1);
    answer_runs_clear(&r->runs);
    r->ways = ways;
    r->open = 0;
}

static uint64_t rows_place(const struct answer_rows *r, uint32_t series)
{
    return *(const uint64_t *)answer_array_at(r->places, series);
}

void answer_rows_move(struct answer_rows *r, uint32_t series, uint64_t next)
{
    *(uint64_t *)answer_array_change(r->places, series) = next;
}

void answer_rows_begin(struct answer_rows *r, uint32_t series)
{
    static const uint64_t none = 0;
    r->series = series;
    if (!(r->ways & ANSWER_ROWS_BY_SERIES))
        return;
    if (series == answer_array_count(r->places))
        answer_array_add(r->places, &none);
    else
        answer_rows_move(r, series, 0);
}

static int later_first(const void *va, const void *vb)
{
    const struct gathered *a = va, *b = vb;
    if (a->time != b->time)
        return a->time < b->time ? 1 : -1;
    return (a->series < b->series) - (a->series > b->series);
}

static uint64_t rows_put_record(struct answer_rows *r, const struct gathered *one, uint64_t next)
{
    const struct answer_record head = {next, one->time, one->series, one->n};
    answer_array_put(r->rows, r->bytes.p + one->at, one->n);
    const uint64_t place = answer_array_count(r->rows);
    answer_array_put(r->rows, &head, sizeof(head));
    return place;
}

/* Puts down what was gathered and sorted, each row before the one of its series that was put down before it.
 * The last row that was put down earlier may be one of the first series that was gathered. */
static void rows_put_linked(struct answer_rows *r, uint32_t first)
{
    const bool goes_on = r->open && r->open_series == first;
    const uint64_t place = goes_on ? rows_place(r, first) : 0;
    uint64_t last = 0;
    if (goes_on)
        answer_rows_move(r, first, 0);
    for (size_t i = 0; i < r->n; i++) {
        const struct gathered *one = &r->list[i];
        const uint64_t here = rows_put_record(r, one, rows_place(r, one->series));
        answer_rows_move(r, one->series, here);
        if (!last && one->series == r->series)
            last = here;
    }
    if (goes_on) {
        const uint64_t next = rows_place(r, first);
        answer_array_write(r->rows, r->open + offsetof(struct answer_record, next), &next,
                           sizeof(next));
        answer_rows_move(r, first, place);
    }
    r->open = last;
    r->open_series = r->series;
}

static int rows_flush(struct answer_rows *r)
{
    const uint64_t begin = answer_array_count(r->rows);
    if (r->n == 0)
        return 0;
    const uint32_t first = r->list[0].series;
    qsort(r->list, r->n, sizeof(*r->list), later_first);
    if (r->ways & ANSWER_ROWS_BY_SERIES)
        rows_put_linked(r, first);
    else
        for (size_t i = 0; i < r->n; i++)
            rows_put_record(r, &r->list[i], 0);
    r->n = r->bytes.n = 0;
    return r->ways & ANSWER_ROWS_BY_TIME
               ? answer_runs_add(&r->runs, begin, answer_array_count(r->rows))
               : 0;
}

int answer_rows_put(struct answer_rows *r, int64_t time, struct slice head, struct slice values)
{
    const size_t n = head.n + values.n, at = r->bytes.n;
    if (n > UINT32_MAX || !array_room(&r->list, &r->room, r->n + 1))
        return -ENOMEM;
    buffer_add(&r->bytes, head.p, head.n);
    buffer_add(&r->bytes, values.p, values.n);
    if (r->bytes.failed)
        return -ENOMEM;
    r->list[r->n++] = (struct gathered){time, r->series, (uint32_t)n, at};
    /* qsort(3) takes memory for as many again. */
    return r->bytes.n + 2 * r->n * sizeof(*r->list) >= r->memory ? rows_flush(r) : 0;
}

int answer_rows_end(struct answer_rows *r)
{
    int failed = rows_flush(r);
    rows_forget(r);
    return failed;
}

uint64_t answer_rows_size(const struct answer_rows *r)
{
    return answer_array_count(r->rows) + r->bytes.n;
}

int answer_rows_take(struct answer_rows *r, uint32_t series, struct buffer *to, uint64_t *next)
{
    const uint64_t place = rows_place(r, series);
    struct answer_record head;
    if (!place)
        return -ENOENT;
    answer_array_take(r->rows, place, &head, sizeof(head));
    char *p = buffer_reserve(to, head.n);
    if (!p)
        return -ENOMEM;
    answer_array_take(r->rows, place - head.n, p, head.n);
    to->n += head.n;
    *next = head.next;
    return 0;
}

int answer_rows_sort(struct answer_rows *r, int64_t end)
{
    return answer_runs_begin(&r->runs, r->rows, end);
}

int answer_rows_least(struct answer_rows *r, struct buffer *to, int64_t *time, uint32_t *series)
{
    struct answer_record head;
    int some = answer_runs_next(&r->runs, r->rows, &head, to);
    if (some == 1) {
        *time = head.time;
        *series = head.series;
    }
    return some;
}
