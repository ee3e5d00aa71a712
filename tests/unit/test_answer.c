/* SPDX-License-Identifier: MIT */
/* points, as influxd answers: the same rows in the same order in any budget, from the beginning and from
 * any mark, of shards made by chance with series that have much in common; and where the file of what
 * memory does not hold fails, no wrong row and no wrong mark. */
#include "tests/unit/full_disk.h"
#include "tests/unit/memory_capture.h"
#include "tests/unit/points_text.h"
#include "tests/unit/watched.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST 48 /* fields of a shard */

static struct err err;
static uint32_t chance = 1;

/* Fields and their types: those before "a" keep all series equal or are strings themselves, those after
 * it come after some tags. */
static const struct {
    const char *name;
    enum value_type type;
} any_fields[][3] = {
    {{"n", VALUE_INTEGER}, {"v", VALUE_FLOAT}, {"w", VALUE_STRING}},
    {{"c", VALUE_STRING}, {"n", VALUE_INTEGER}, {"t", VALUE_BOOLEAN}},
    {{"A", VALUE_INTEGER}, {"n", VALUE_FLOAT}, {"u", VALUE_UNSIGNED}},
    {{"A", VALUE_STRING}, {"c", VALUE_STRING}, {"n", VALUE_INTEGER}},
    {{"aa", VALUE_BOOLEAN}, {"n", VALUE_INTEGER}, {"z", VALUE_STRING}},
};
#define KINDS 5

/* Fields of a shard, with their texts. */
struct any_shard {
    struct field_text list[MOST];
    char keys[MOST][64], points[MOST][512];
    size_t n;
};

static void any_series(char out[48], bool whole)
{
    static const char *const names[] = {"a", "b", "z"};
    static const char *const values[] = {"1",    "1!x", "10",      "2",      "x\\ y",
                                         "x\\,", "x#",  "longer1", "longer2"};
    size_t n = (size_t)sprintf(out, "m");
    for (size_t i = 0; i < 3; i++)
        if (whole || any_below(&chance, 4))
            n += (size_t)sprintf(out + n, ",%s=%s", names[i], values[any_below(&chance, 9)]);
}

static void any_points(enum value_type type, int64_t from, char out[512])
{
    static const char *const texts[] = {"p", "p1", "q"};
    size_t n = 0;
    for (int64_t t = from; t < from + 12; t++) {
        if (any_below(&chance, 3) == 0 && n > 0)
            continue;
        n += (size_t)sprintf(out + n, "%s%" PRId64 "=", n ? " " : "", t);
        if (type == VALUE_STRING)
            n += (size_t)sprintf(out + n, "%s", texts[any_below(&chance, 3)]);
        else if (type == VALUE_BOOLEAN)
            n += (size_t)sprintf(out + n, "%s", any_below(&chance, 2) ? "true" : "false");
        else
            n += (size_t)sprintf(out + n, "%u", any_below(&chance, 1000));
    }
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct field_text *)a)->key, ((const struct field_text *)b)->key);
}

static bool any_has(const struct any_shard *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i].key, key) == 0)
            return true;
    return false;
}

static void any_fill(struct any_shard *s, size_t kind, int64_t from)
{
    const bool whole = any_below(&chance, 3) == 0;
    const size_t n = 1 + any_below(&chance, MOST - 1);
    s->n = 0;
    for (size_t i = 0; i < n; i++) {
        char series[48], *key = s->keys[s->n], *points = s->points[s->n];
        const size_t field = any_below(&chance, 3);
        const enum value_type type = any_fields[kind][field].type;
        any_series(series, whole);
        sprintf(key, "%s#!~#%s", series, any_fields[kind][field].name);
        any_points(type, from, points);
        if (!any_has(s, key))
            s->list[s->n++] = (struct field_text){key, type, points};
    }
    qsort(s->list, s->n, sizeof(s->list[0]), by_key);
}

/* Two shards whose times overlap: one is a file and a WAL, one a file. */
static struct memory *any_store(size_t kind)
{
    static const struct shard_times times[] = {{1, 0, 20}, {2, 10, 40}};
    static struct any_shard s;
    struct memory *m = memory_new();
    struct buffer wal = {0};
    memory_meta(m, times, 2);
    any_fill(&s, kind, 0);
    memory_add(m, "data/db/rp/1", "000000001-000000001.tsm", tsm_of(s.list, s.n));
    any_fill(&s, kind, 6);
    for (size_t i = 0; i < s.n; i++)
        wal_write(&wal, &s.list[i]);
    memory_add(m, "wal/db/rp/1", "_00001.wal", wal);
    any_fill(&s, kind, 10);
    memory_add(m, "data/db/rp/2", "000000001-000000001.tsm", tsm_of(s.list, s.n));
    return m;
}

static struct points_spilled spilled;

static struct points *open_points(struct schema_cache *c, size_t memory)
{
    const struct points_query q = {.db = "db",
                                   .rp = "rp",
                                   .measurement = {"m", 1},
                                   .from = 1,
                                   .to = 50,
                                   .way = POINTS_ANSWER,
                                   .memory = memory,
                                   .spilled = &spilled};
    struct points *p = NULL;
    if (points_open(c, &q, &p, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

/* The rows to come. */
static void read_rest(struct points *p, struct buffer *out)
{
    struct points_row row;
    int r;
    out->n = 0;
    while ((r = points_next(p, &row, &err)) == 1)
        put_row(out, p, &row);
    if (r < 0)
        fail_msg("%s", err.text);
    buffer_add(out, "", 1);
}

static void read_all(struct schema_cache *c, size_t memory, struct buffer *out)
{
    struct points *p = open_points(c, memory);
    read_rest(p, out);
    points_free(p);
}

/* Reads from each place that has a mark, in the same budget or another. Returns how many have. */
static size_t check_marks(struct schema_cache *c, size_t memory, const char *want)
{
    struct points *p = open_points(c, memory);
    struct buffer mark = {0}, before = {0}, rest = {0};
    struct points_row row;
    size_t n = 0;
    assert_int_equal(points_mark(p, NULL), -EAGAIN);
    while (points_next(p, &row, &err) == 1) {
        put_row(&before, p, &row);
        if (points_mark(p, NULL) == -EAGAIN)
            continue;
        n++;
        assert_int_equal(points_mark(p, &mark), 0);
        struct points *again = open_points(c, n % 2 ? memory : !memory);
        if (points_resume(again, (struct slice){mark.p, mark.n}, &err) < 0)
            fail_msg("%s", err.text);
        read_rest(again, &rest);
        assert_string_equal(rest.p, want + before.n);
        points_free(again);
    }
    assert_int_equal(points_mark(p, NULL), -EAGAIN);
    buffer_free(&mark);
    buffer_free(&before);
    buffer_free(&rest);
    points_free(p);
    return n;
}

static void test_any_budget(void **state)
{
    (void)state;
    static const size_t budgets[] = {1, 10000, 1 << 18};
    size_t marks = 0;
    for (size_t round = 0; round < ROUNDS_OF(300); round++) {
        struct memory *m = any_store(round % KINDS);
        struct schema_cache *c = NULL;
        struct buffer want = {0}, got = {0};
        assert_int_equal(schema_cache_open(&m->c, NULL, NULL, &c, &err), 0);
        read_all(c, 0, &want);
        for (size_t i = 0; i < 3; i++) {
            read_all(c, budgets[i], &got);
            assert_string_equal(got.p, want.p);
        }
        if (round % 10 < 2)
            marks += check_marks(c, round % 10 ? 1 : 0, want.p);
        buffer_free(&want);
        buffer_free(&got);
        schema_cache_unref(c);
        capture_unref(&m->c);
    }
    assert_true(marks > (size_t)ROUNDS_OF(500));
}

/* What a mark leads to, if there is one here, is all that is wanted. */
static void check_mark(struct schema_cache *c, const struct points *p, size_t memory,
                       const char *want)
{
    struct buffer mark = {0}, rest = {0};
    const bool any = points_mark(p, NULL) == 0 && points_mark(p, &mark) == 0;
    const size_t before = fails_from;
    fails_from = 0;
    if (any) {
        struct points *again = open_points(c, memory);
        if (points_resume(again, (struct slice){mark.p, mark.n}, &err) < 0)
            fail_msg("%s", err.text);
        read_rest(again, &rest);
        assert_string_equal(rest.p, want);
        points_free(again);
    }
    fails_from = before;
    buffer_free(&mark);
    buffer_free(&rest);
}

/* The rows before the failure are right, and the marks at them that are given once it has happened. */
static void check_failure(struct schema_cache *c, size_t memory, const struct buffer *want,
                          size_t failures[2])
{
    struct points *p = open_points(c, memory);
    struct buffer rows = {0};
    struct points_row row;
    int r;
    while ((r = points_next(p, &row, &err)) == 1) {
        put_row(&rows, p, &row);
        assert_true(rows.n < want->n);
        assert_memory_equal(rows.p, want->p, rows.n);
        if (uses >= fails_from)
            check_mark(c, p, memory, want->p + rows.n);
    }
    assert_true(r == -ENOSPC || (r == 0 && rows.n + 1 == want->n));
    failures[r < 0]++;
    points_free(p);
    buffer_free(&rows);
}

static void test_failures(void **state)
{
    (void)state;
    static const size_t budgets[] = {1, 4096, 8192};
    size_t failures[2] = {0};
    for (size_t round = 0; round < 12; round++) {
        struct memory *m = any_store(round % KINDS);
        struct schema_cache *c = NULL;
        struct buffer want = {0}, got = {0};
        assert_int_equal(schema_cache_open(&m->c, NULL, NULL, &c, &err), 0);
        read_all(c, 0, &want);
        for (size_t i = 0; i < 3; i++) {
            uses = 0;
            read_all(c, budgets[i], &got);
            const size_t all = uses, step = all / 30 + 1;
            for (size_t from = 1 + round % step; from <= all; from += step) {
                uses = 0;
                fails_from = from;
                check_failure(c, budgets[i], &want, failures);
            }
            fails_from = 0;
        }
        buffer_free(&want);
        buffer_free(&got);
        schema_cache_unref(c);
        capture_unref(&m->c);
    }
    assert_true(failures[1] > 500);
}

/* A WAL of so many series with a string of so many bytes each, in no order. */
static struct memory *store_of_strings(unsigned n, size_t bytes)
{
    static const struct shard_times times[] = {{1, 0, 20}};
    static const struct field_text one = {"m,a=zz#!~#n", VALUE_INTEGER, "5=1"};
    struct memory *m = memory_new();
    struct buffer wal = {0};
    char *points = malloc(bytes + 3), key[64];
    assert_non_null(points);
    memset(points, 'x', bytes + 2);
    memcpy(points, "5=", 2);
    points[bytes + 2] = 0;
    for (unsigned i = 0; i < n; i++) {
        sprintf(key, "m,a=%07u#!~#w", i * 7919 % n);
        wal_write(&wal, &(struct field_text){key, VALUE_STRING, points});
    }
    free(points);
    memory_meta(m, times, 1);
    memory_add(m, "data/db/rp/1", "000000001-000000001.tsm", tsm_of(&one, 1));
    memory_add(m, "wal/db/rp/1", "_00001.wal", wal);
    return m;
}

static size_t allocated(void)
{
    const struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

/* Reads all points of such a store in a MiB: how often its WAL is read, and how many bytes lie in memory. */
static void read_strings(unsigned series, size_t bytes, uint64_t *readings, size_t *most)
{
    struct memory *m = store_of_strings(series, bytes);
    struct schema_cache *c = NULL;
    struct points_row row;
    const size_t wal = m->c.n - 1;
    size_t n = 0;
    assert_int_equal(schema_cache_open(&m->c, NULL, NULL, &c, &err), 0);
    struct points *p = open_points(c, 1 << 20);
    const uint64_t before = m->read[wal];
    const size_t had = allocated();
    for (*most = 0; points_next(p, &row, &err) == 1; n++) {
        const size_t now = allocated();
        *most = now > had + *most ? now - had : *most;
    }
    assert_int_equal(n, series + 1);
    *readings = (m->read[wal] - before) / m->bytes[wal].n;
    points_free(p);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

/* Their bytes count: the WAL is put down rather than read for each part of it, and does not lie in
 * memory. */
static void test_wal_of_strings(void **state)
{
    (void)state;
    uint64_t readings;
    size_t most;
    read_strings(3000, 3000, &readings, &most);
    assert_in_range(readings, 1, 10);
    assert_in_range(most, 0, 3 << 20);
    read_strings(20, 500000, &readings, &most);
    assert_in_range(readings, 1, 10);
    assert_in_range(most, 0, 3 << 20);
}

/* Many series that all have a value at each of these times. */
#define TIMES 16
static struct memory *store_of_times(unsigned n, const char *field)
{
    static const struct shard_times times[] = {{1, 0, 50}};
    struct memory *m = memory_new();
    struct field_text *list = calloc(n, sizeof(*list));
    char points[8 * TIMES] = "", (*keys)[32] = calloc(n, sizeof(*keys));
    assert_true(list && keys);
    for (unsigned i = 1; i <= TIMES; i++)
        sprintf(points + strlen(points), "%s%u=7", i > 1 ? " " : "", 3 * i);
    for (unsigned i = 0; i < n; i++) {
        sprintf(keys[i], "m,h=%07u#!~#%s", i, field);
        list[i] = (struct field_text){keys[i], VALUE_INTEGER, points};
    }
    memory_meta(m, times, 1);
    memory_add(m, "data/db/rp/1", "000000001-000000001.tsm", tsm_of(list, n));
    free(keys);
    free(list);
    return m;
}

/* Where the rows of one time are a slice of their own, there is no more than one pass for each time, and the
 * file holds little more than its rows, whether series are merged by their numbers or as a heap moves them. */
static void test_slices_of_one_time(void **state)
{
    (void)state;
    static const char *const fields[] = {"v", "f"};
    for (size_t i = 0; i < 2; i++) {
        struct memory *m = store_of_times(500, fields[i]);
        struct schema_cache *c = NULL;
        struct buffer want = {0}, got = {0};
        assert_int_equal(schema_cache_open(&m->c, NULL, NULL, &c, &err), 0);
        read_all(c, 0, &want);
        spilled.slices = spilled.most = 0;
        read_all(c, 1000, &got);
        assert_string_equal(got.p, want.p);
        assert_in_range(spilled.slices, TIMES, TIMES + 4);
        assert_in_range(spilled.most, 1, 300 * 1024);
        buffer_free(&want);
        buffer_free(&got);
        schema_cache_unref(c);
        capture_unref(&m->c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_budget),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_wal_of_strings),
        cmocka_unit_test(test_slices_of_one_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
