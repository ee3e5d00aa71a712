/* SPDX-License-Identifier: MIT */
/* tsmencode: what the encoder makes is decoded again, over sequences that are typical and ones that
 * are not; which encoding it chooses; and how small that is. */
#include "store/influx/tsmencode.h"
#include "tests/unit/chance.h"
#include "tests/unit/snap.h"
#include "tests/unit/tsm_same.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MOST 3000

static struct err err;
static int64_t times[MOST];
static union value values[MOST];

static struct tsmblock points(enum value_type type, size_t n)
{
    return (struct tsmblock){.type = type, .n = n, .times = times, .values = values};
}

/* Encodes the points, decodes them, and returns the bytes; *first gets the first byte of the times
 * and that of the values. */
static size_t round_trip(const struct tsmblock *b, uint8_t first[2])
{
    struct buffer out = {0};
    struct tsmblock back = {0};
    buffer_add(&out, "before", 6);
    err.text[0] = '\0';
    assert_int_equal(tsmencode_block(b, &out, &err), 0);
    assert_memory_equal(out.p, "before", 6);
    /* Exactly these bytes, so that a sanitizer sees reads after them. */
    size_t n = out.n - 6, ntimes = 0, at = 7;
    autofree uint8_t *exact = malloc(n);
    memcpy(exact, out.p + 6, n);
    if (tsmblock_decode(&back, exact, n, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(tsm_same(b, &back));
    for (unsigned shift = 0;; shift += 7) {
        ntimes |= (size_t)((uint8_t)out.p[at] & 0x7f) << shift;
        if (!((uint8_t)out.p[at++] & 0x80))
            break;
    }
    first[0] = (uint8_t)out.p[at];
    first[1] = (uint8_t)out.p[at + ntimes];
    tsmblock_free(&back);
    buffer_free(&out);
    return n;
}

/* Times with integers that stay the same: what the times' first byte is. */
static uint8_t first_of_times(size_t n)
{
    struct tsmblock b = points(VALUE_INTEGER, n);
    uint8_t first[2];
    memset(values, 0, sizeof(values));
    round_trip(&b, first);
    return first[0];
}

static uint8_t first_of_values(enum value_type type, size_t n)
{
    struct tsmblock b = points(type, n);
    uint8_t first[2];
    for (size_t i = 0; i < n; i++)
        times[i] = (int64_t)i;
    round_trip(&b, first);
    return first[1];
}

static void even_times(int64_t first, int64_t step, size_t n)
{
    for (size_t i = 0; i < n; i++)
        times[i] = (int64_t)((uint64_t)first + i * (uint64_t)step);
}

static void test_times(void **state)
{
    (void)state;
    const int64_t year = INT64_C(31556952000000000);
    even_times(INT64_MIN, 1, 1);
    assert_int_equal(first_of_times(1), 0x1c); /* alone: no differences, each power divides them */
    even_times(1465646400000000000, 10000000000, 1000);
    assert_int_equal(first_of_times(1000), 0x2a);
    assert_int_equal(first_of_times(2), 0x2a);
    even_times(INT64_MIN, INT64_MAX, 3);
    assert_int_equal(first_of_times(3), 0x20);
    even_times(5, 0, 4); /* the same time again and again */
    assert_int_equal(first_of_times(4), 0x2c);
    int64_t step = 1;
    for (int scale = 0; scale <= 13; scale++, step *= 10) {
        even_times(-step * 500, step, 1000);
        times[999] += step; /* not even */
        assert_int_equal(first_of_times(1000), 0x10 | (scale > 12 ? 12 : scale));
    }
    even_times(0, year, 40);
    times[39] += 37 * year; /* a gap of 2^60 ns and more */
    assert_int_equal(first_of_times(40), 0x00);
    times[39] -= year * 2; /* and of less */
    assert_int_equal(first_of_times(40) >> 4, 1);
    times[0] = INT64_MIN;
    times[1] = INT64_MAX;
    times[2] = INT64_MAX;
    assert_int_equal(first_of_times(3), 0x00);
}

static void test_jittered_times(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t n = 1 + random64() % (round % 2 ? MOST : 30);
        unsigned bits = (unsigned)(random64() % 50);
        uint64_t scale = random64() % 3 ? 1 : 1000000;
        times[0] = (int64_t)random64() / 4;
        for (size_t i = 1; i < n; i++) {
            uint64_t step = round % 3 ? random_bits(bits) : random64() % 200 ? 1 : 0;
            times[i] = (int64_t)((uint64_t)times[i - 1] + step * scale);
            times[i] = times[i] < times[i - 1] ? times[i - 1] : times[i];
        }
        first_of_times(n);
    }
}

static void test_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST; i++)
        values[i].i = -7 - 3 * (int64_t)i; /* descending */
    assert_int_equal(first_of_values(VALUE_INTEGER, 1000), 0x20);
    assert_int_equal(first_of_values(VALUE_INTEGER, 3), 0x20);
    assert_int_equal(first_of_values(VALUE_INTEGER, 2), 0x10);
    assert_int_equal(first_of_values(VALUE_INTEGER, 1), 0x10);
    values[500].i = 0;
    assert_int_equal(first_of_values(VALUE_INTEGER, 1000), 0x10);
    values[1].i = INT64_MAX;
    assert_int_equal(first_of_values(VALUE_INTEGER, 1000), 0x00);
    values[0].i = INT64_MIN; /* its difference to 0 does not fit */
    assert_int_equal(first_of_values(VALUE_INTEGER, 1), 0x00);
    values[0].i = (INT64_C(1) << 59) - 1;
    assert_int_equal(first_of_values(VALUE_INTEGER, 1), 0x10);
    values[0].i++;
    assert_int_equal(first_of_values(VALUE_INTEGER, 1), 0x00);
    for (size_t i = 0; i < 1000; i++)
        values[i].i = i % 2 ? INT64_MIN : INT64_MAX;
    assert_int_equal(first_of_values(VALUE_INTEGER, 1000), 0x00);
    for (size_t i = 0; i < 1000; i++)
        values[i].u = UINT64_MAX - i % 7;
    assert_int_equal(first_of_values(VALUE_UNSIGNED, 1000), 0x10);
}

static void test_any_integers(void **state)
{
    (void)state;
    for (int round = 0; round < 600; round++) {
        size_t n = 1 + random64() % (round % 2 ? MOST : 30);
        unsigned bits = (unsigned)(random64() % 65);
        values[0].u = random_bits(64);
        for (size_t i = 1; i < n; i++) {
            uint64_t step = round % 3 ? random_bits(bits) : random64() % 300 ? UINT64_MAX : 7;
            values[i].u = values[i - 1].u + (step & 1 && round % 3 ? 0 - step : step);
        }
        first_of_values(round % 5 ? VALUE_INTEGER : VALUE_UNSIGNED, n);
    }
}

/* Runs of the difference 1 become one word for 120 and 240 of them, but not for 119 with another. */
static void test_runs_of_ones(void **state)
{
    (void)state;
    for (size_t run = 110; run < 500; run++) {
        struct tsmblock b = points(VALUE_BOOLEAN, run + 3);
        uint8_t first[2];
        memset(values, 0, sizeof(values));
        even_times(0, 1, run + 1);
        times[run + 1] = times[run] + 5;
        times[run + 2] = times[run + 1] + 1;
        size_t n = round_trip(&b, first);
        assert_int_equal(first[0], 0x10);
        assert_true(n < 40 + run / 8 + 8 * (run / 240 + 9));
    }
}

static void test_floats(void **state)
{
    (void)state;
    static const double odd[] = {0, -0.0, 1, -1, 1e308, 5e-324, INFINITY, -INFINITY, 0.1, 1e-300};
    for (int round = 0; round < 400; round++) {
        size_t n = 1 + random64() % (round % 2 ? MOST : 20);
        for (size_t i = 0; i < n; i++) {
            values[i].u = random64();
            if (round % 4 == 1)
                values[i].f = odd[random64() % 10];
            else if (round % 4 || isnan(values[i].f))
                values[i].f = (double)(random64() % 1000) / (round % 4 == 2 ? 8 : 10);
        }
        assert_int_equal(first_of_values(VALUE_FLOAT, n), 0x10);
    }
    for (size_t i = 0; i < 1000; i++) {
        values[i].f = 21.5;
        times[i] = (int64_t)i;
    }
    struct tsmblock b = points(VALUE_FLOAT, 1000);
    uint8_t first[2];
    assert_true(round_trip(&b, first) < 170); /* a bit for each */
}

/* influxd never stores one; 0x7ff8000000000001 would end the block. */
static void test_nan(void **state)
{
    (void)state;
    static const uint64_t nans[] = {0x7ff8000000000001, 0x7ff8000000000000, 0xfff8000000000000,
                                    0x7ff0000000000001};
    for (size_t i = 0; i < 4; i++)
        for (size_t at = 0; at < 3; at++) {
            struct tsmblock b = points(VALUE_FLOAT, 3);
            struct buffer out = {0};
            memset(values, 0, sizeof(values));
            values[at].u = nans[i];
            assert_int_equal(tsmencode_block(&b, &out, &err), -EINVAL);
            assert_non_null(strstr(err.text, "NaN"));
            assert_int_equal(out.n, 0);
            buffer_free(&out);
            b.type = VALUE_UNSIGNED; /* not a float */
            round_trip(&b, (uint8_t[2]){0});
        }
}

static void test_booleans_and_strings(void **state)
{
    (void)state;
    static char text[70000];
    memset(text, 'x', sizeof(text));
    for (int round = 0; round < 200; round++) {
        size_t n = 1 + random64() % (round % 2 ? MOST : 20);
        for (size_t i = 0; i < n; i++)
            values[i] = (union value){.b = random64() % 3 == 0};
        assert_int_equal(first_of_values(VALUE_BOOLEAN, n), 0x10);
        for (size_t i = 0; i < 300; i++)
            text[random64() % sizeof(text)] = (char)random64();
        for (size_t i = 0; i < n; i++) {
            values[i].s.off = (uint32_t)(random64() % 60000);
            values[i].s.len = (uint32_t)random_bits(round % 2 ? 5 : 13);
        }
        struct tsmblock b = points(VALUE_STRING, n);
        uint8_t first[2];
        b.strings = text;
        round_trip(&b, first);
        assert_int_equal(first[1], 0x10);
    }
}

/* The most that a block may have, which influxd never writes, but reads. */
static void test_most_points(void **state)
{
    (void)state;
    struct tsmblock b = {.type = VALUE_INTEGER, .n = TSMBLOCK_MAX_POINTS};
    uint8_t first[2];
    b.times = malloc(b.n * sizeof(*b.times));
    b.values = malloc(b.n * sizeof(*b.values));
    for (size_t i = 0; i < b.n; i++) {
        b.times[i] = (int64_t)(i * i);
        b.values[i].u = i * i * i;
    }
    round_trip(&b, first);
    tsmblock_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),        cmocka_unit_test(test_jittered_times),
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_any_integers),
        cmocka_unit_test(test_runs_of_ones), cmocka_unit_test(test_floats),
        cmocka_unit_test(test_nan),          cmocka_unit_test(test_booleans_and_strings),
        cmocka_unit_test(test_most_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
