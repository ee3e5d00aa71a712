/* SPDX-License-Identifier: MIT */
/* pace: when the next bytes may be given, and who waits for them. */
#include "fs/pace.h"

#include "store/base/time.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PIECE ((size_t)1 << 20)
#define RATE 10000000

static void test_first_piece_at_once(void **arg)
{
    (void)arg;
    int64_t next = 0;
    assert_int_equal(pace_turn(&next, 7 * SECOND_NS, RATE, RATE), 7 * SECOND_NS);
    assert_int_equal(next, 8 * SECOND_NS);
}

static void test_each_waits_for_those_before(void **arg)
{
    (void)arg;
    int64_t next = 0, now = 5 * SECOND_NS;
    for (int i = 0; i < 100; i++)
        assert_int_equal(pace_turn(&next, now, RATE / 10, RATE), now + i * SECOND_NS / 10);
    assert_int_equal(pace_turn(&next, now, RATE / 2, RATE), now + 10 * SECOND_NS);
    assert_int_equal(pace_turn(&next, now, 1, RATE), now + 10 * SECOND_NS + SECOND_NS / 2);
}

/* However the clock goes on between the pieces, they are never faster than the rate. */
static void test_never_faster(void **arg)
{
    (void)arg;
    int64_t next = 0, now = 0;
    uint64_t given = 0;
    for (int64_t i = 0; i < 10000; i++) {
        size_t n = (size_t)(i * 7919 % (int64_t)PIECE) + 1;
        int64_t turn = pace_turn(&next, now, n, RATE);
        assert_true(turn >= now);
        assert_true((double)given * 1e9 / RATE <= (double)turn + 10000 /* rounded, each time */);
        given += n;
        now = i % 3 ? turn : turn + i * 1000;
    }
}

/* A pause is not saved up: afterwards no more is given at once than before. */
static void test_pause(void **arg)
{
    (void)arg;
    int64_t next = 0;
    pace_turn(&next, 0, RATE, RATE);
    assert_int_equal(pace_turn(&next, 100 * SECOND_NS, RATE, RATE), 100 * SECOND_NS);
    assert_int_equal(pace_turn(&next, 100 * SECOND_NS, RATE, RATE), 101 * SECOND_NS);
}

static void test_extremes(void **arg)
{
    (void)arg;
    int64_t next = 0;
    assert_int_equal(pace_turn(&next, 1, PIECE, INT64_MAX), 1);
    assert_int_equal(next, 1);
    pace_turn(&next, 1, PIECE, 1);
    assert_int_equal(next, 1 + (int64_t)PIECE * SECOND_NS);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

/* Says no twice. */
static bool third_time(void *asked)
{
    return ++*(int *)asked == 3;
}

static void test_off(void **arg)
{
    (void)arg;
    struct pace *p = pace_new(PACE_OFF);
    assert_non_null(p);
    pace_look(p);
    int64_t before = time_mono_ns();
    for (int i = 0; i < 1000; i++)
        pace_wait(p, (size_t)1 << 40, never, NULL);
    assert_true(time_mono_ns() - before < 100 * SECOND_NS);
    assert_true(pace_held_to(p) == 0);
    pace_free(p);
    pace_free(NULL);
}

/* Nothing is read for a while: then nothing is held. */
static void test_held(void **arg)
{
    (void)arg;
    struct pace *p = pace_new(RATE);
    assert_non_null(p);
    assert_true(pace_held_to(p) == 0);
    int64_t before = time_mono_ns();
    for (int i = 0; i < 5; i++)
        pace_wait(p, RATE / 20, never, NULL);
    assert_true(time_mono_ns() - before >= 4 * SECOND_NS / 20);
    assert_true(pace_held_to(p) == RATE);
    time_shift(0, 2 * SECOND_NS);
    assert_true(pace_held_to(p) == 0);
    pace_wait(p, 10 * RATE, never, NULL); /* nothing to wait for */
    time_shift(0, 9 * SECOND_NS);
    assert_true(pace_held_to(p) == RATE); /* what was given has not had its time */
    time_shift(0, 0);
    pace_free(p);
}

static void test_interrupted(void **arg)
{
    (void)arg;
    int asked = 0;
    struct pace *p = pace_new(RATE);
    assert_non_null(p);
    pace_wait(p, (size_t)RATE * 3600, never, NULL);
    pace_wait(p, 1, third_time, &asked); /* or it would take an hour */
    assert_int_equal(asked, 3);
    pace_free(p);
}

/* What a reader gave up is not waited for by those that come later. */
static void test_given_up(void **arg)
{
    (void)arg;
    struct pace *p = pace_new(RATE);
    assert_non_null(p);
    pace_wait(p, RATE / 2, never, NULL);
    for (int i = 0; i < 3; i++) {
        int asked = 2;
        pace_wait(p, (size_t)RATE * 3600, third_time, &asked);
    }
    pace_wait(p, 1, never, NULL);
    assert_true(p && pace_held_to(p) == RATE);
    pace_free(p);
}

static void test_values(void **arg)
{
    (void)arg;
    static const struct {
        const char *text;
        uint64_t pace;
        const char *shown;
    } good[] = {
        {"off", PACE_OFF, "off"},
        {"auto", PACE_AUTO, "auto"},
        {"1048576", 1 << 20, "1048576"},
        {"1024K", 1 << 20, "1048576"},
        {"50M", UINT64_C(50) << 20, "52428800"},
        {"2G", UINT64_C(2) << 30, "2147483648"},
        {"9223372036854775807", INT64_MAX, "9223372036854775807"},
    };
    static const char *const bad[] = {
        "",        "0",   "1",   "1023K", "1048575",  "-1M",
        "+2M",     " 2M", "2M ", "2m",    "2MB",      "1.5M",
        "M",       "on",  "Off", "auto,", "0x200000", "9223372036854775808",
        "9000000T"};
    char text[PACE_TEXT];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t pace = 1;
        assert_int_equal(value_pace(good[i].text, &pace, NULL), 0);
        assert_true(pace == good[i].pace);
        assert_string_equal(value_pace_text(pace, text), good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t pace = 1;
        struct err e = {0};
        assert_int_equal(value_pace(bad[i], &pace, &e), -EINVAL);
        assert_true(pace == 1 && e.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_piece_at_once),
        cmocka_unit_test(test_each_waits_for_those_before),
        cmocka_unit_test(test_never_faster),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
