/* SPDX-License-Identifier: MIT */
/* answer_rows: rows are given by time, or series by series, as they were put; and damage is told. */
#include "store/points/answer_rows.h"
#include "store/points/answer_runs.h"
#include "tests/unit/chance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERIES 60
#define MOST 12 /* rows of a series */
#define LAST 40 /* time */

static struct err err;

struct row {
    int64_t time;
    uint32_t series;
    char text[40];
};

/* Of all series, in their order. */
struct table {
    struct row rows[SERIES * MOST];
    size_t n;
};

/* Times that ascend, some of them the first and last of all; series without rows; texts without bytes. */
static void table_fill(struct table *t)
{
    t->n = 0;
    for (uint32_t i = 0; i < SERIES; i++) {
        const size_t n = random64() % (MOST + 1);
        int64_t time = random64() % 8 ? (int64_t)(random64() % 8) - 4 : INT64_MIN;
        for (size_t k = 0; k < n && time <= LAST; k++) {
            struct row *one = &t->rows[t->n++];
            *one = (struct row){.time = time, .series = i};
            if (random64() % 8)
                sprintf(one->text, "%u at %lld, %.*s", i, (long long)time, (int)(random64() % 9),
                        "and more");
            time = time == INT64_MIN ? -9 : time + 1 + (int64_t)(random64() % 6);
        }
    }
}

static void rows_fill(struct answer_rows *r, const struct table *t, unsigned ways)
{
    size_t at = 0;
    answer_rows_clear(r, ways);
    for (uint32_t i = 0; i < SERIES; i++) {
        answer_rows_begin(r, i);
        for (; at < t->n && t->rows[at].series == i; at++) {
            const char *text = t->rows[at].text;
            const size_t n = strlen(text), head = n / 2;
            assert_int_equal(answer_rows_put(r, t->rows[at].time, (struct slice){text, head},
                                             (struct slice){text + head, n - head}),
                             0);
        }
    }
    assert_int_equal(answer_rows_end(r), 0);
}

static int by_time(const void *va, const void *vb)
{
    const struct row *a = va, *b = vb;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (a->series > b->series) - (a->series < b->series);
}

static void check_text(struct buffer *b, const struct row *want)
{
    buffer_add(b, "", 1);
    assert_string_equal(b->p, want->text);
    b->n = 0;
}

/* All rows before a time, and then no more. */
static void check_by_time(struct answer_rows *r, const struct table *t, int64_t end)
{
    static struct table sorted;
    struct buffer text = {0};
    int64_t time = 0;
    uint32_t series = 0;
    sorted = *t;
    qsort(sorted.rows, sorted.n, sizeof(*sorted.rows), by_time);
    assert_int_equal(answer_rows_sort(r, end), 0);
    for (size_t i = 0; i < sorted.n && sorted.rows[i].time < end; i++) {
        assert_int_equal(answer_rows_least(r, &text, &time, &series), 1);
        assert_int_equal(time, sorted.rows[i].time);
        assert_int_equal(series, sorted.rows[i].series);
        check_text(&text, &sorted.rows[i]);
    }
    assert_int_equal(answer_rows_least(r, &text, &time, &series), 0);
    assert_int_equal(answer_rows_least(r, &text, &time, &series), 0);
    buffer_free(&text);
}

static void check_by_series(struct answer_rows *r, const struct table *t)
{
    struct buffer text = {0};
    uint64_t next = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < SERIES; i++) {
        for (; at < t->n && t->rows[at].series == i; at++) {
            assert_int_equal(answer_rows_take(r, i, &text, &next), 0);
            check_text(&text, &t->rows[at]);
            answer_rows_move(r, i, next);
        }
        assert_int_equal(answer_rows_take(r, i, &text, &next), -ENOENT);
    }
    buffer_free(&text);
}

static void test_both_ways(void **state)
{
    (void)state;
    static const size_t memory[] = {0, 300, 2000, 1 << 20};
    static struct table t;
    for (size_t round = 0; round < 200; round++) {
        struct answer_spill *s = NULL;
        struct answer_rows *r = NULL;
        assert_int_equal(answer_spill_new(round % 2 ? 1 : 1 << 20, NULL, NULL, &s), 0);
        assert_int_equal(answer_rows_new(s, memory[round % 4], &r), 0);
        for (unsigned ways = 3; ways > 0; ways--) {
            table_fill(&t);
            rows_fill(r, &t, ways);
            for (int64_t end = -10; ways & ANSWER_ROWS_BY_TIME && end <= LAST + 1; end += 17)
                check_by_time(r, &t, end);
            if (ways & ANSWER_ROWS_BY_TIME)
                check_by_time(r, &t, INT64_MAX);
            if (ways & ANSWER_ROWS_BY_SERIES)
                check_by_series(r, &t);
        }
        assert_int_equal(answer_spill_check(s, &err), 0);
        answer_rows_free(r);
        answer_spill_free(s);
    }
}

/* Two runs of two rows each, the later one first in each. */
static void put_runs(struct answer_array *a, struct answer_runs *runs)
{
    answer_array_clear(a);
    answer_runs_clear(runs);
    for (uint32_t i = 0; i < 2; i++) {
        const uint64_t begin = answer_array_count(a);
        for (int64_t time = 20; time > 0; time -= 10) {
            const struct answer_record one = {.time = time, .series = i, .n = 4};
            answer_array_put(a, "row", 4);
            answer_array_put(a, &one, sizeof(one));
        }
        assert_int_equal(answer_runs_add(runs, begin, answer_array_count(a)), 0);
    }
}

/* How many rows are given before the end, which is returned. */
static int count_rows(struct answer_array *a, struct answer_runs *runs, size_t *n)
{
    struct answer_record one;
    struct buffer text = {0};
    int r = answer_runs_begin(runs, a, 100);
    for (*n = 0; r == 0 && (r = answer_runs_next(runs, a, &one, &text)) == 1; r = 0)
        ++*n;
    buffer_free(&text);
    return r;
}

/* Of the record at an end of a row in the first run. */
static int count_damaged(struct answer_array *a, struct answer_runs *runs, size_t end,
                         const struct answer_record *record, size_t *n)
{
    put_runs(a, runs);
    answer_array_write(a, end - sizeof(*record), record, sizeof(*record));
    return count_rows(a, runs, n);
}

static void test_damage(void **state)
{
    (void)state;
    const size_t one = 4 + sizeof(struct answer_record);
    struct answer_spill *s = NULL;
    struct answer_array *a = NULL;
    struct answer_runs runs = {0};
    size_t n;
    assert_int_equal(answer_spill_new(1, NULL, NULL, &s), 0);
    assert_int_equal(answer_array_new(s, 1, &a), 0);
    put_runs(a, &runs);
    assert_int_equal(count_rows(a, &runs, &n), 0);
    assert_int_equal(n, 4);
    /* The first row of the run, and then the one after it. */
    const struct answer_record bad[] = {{.time = 10, .n = 1000},
                                        {.time = 10, .n = (uint32_t)one + 1},
                                        {.time = 10, .n = (uint32_t)one - 1}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(count_damaged(a, &runs, 2 * one, &bad[i], &n), -EIO);
        assert_in_range(n, 0, 1);
    }
    const struct answer_record early = {.time = 9, .n = 4}, longer = {.time = 20, .n = 5};
    assert_int_equal(count_damaged(a, &runs, one, &early, &n), -EIO);
    assert_int_equal(n, 1);
    assert_int_equal(count_damaged(a, &runs, one, &longer, &n), -EIO);
    assert_int_equal(n, 1);
    answer_runs_free(&runs);
    answer_array_free(a);
    answer_spill_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
