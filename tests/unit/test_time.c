/* SPDX-License-Identifier: MIT */
/* time: texts, days, and a clock that tests set. */
#include "store/base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_texts(int64_t ns, const char *exact, const char *rounded)
{
    char text[TIME_TEXT];
    time_exact_text(ns, text);
    assert_string_equal(text, exact);
    time_text(ns, text);
    assert_string_equal(text, rounded);
}

static void test_texts(void **arg)
{
    (void)arg;
    assert_texts(0, "1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:00Z");
    assert_texts(-1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59Z");
    assert_texts(-SECOND_NS, "1969-12-31T23:59:59.000000000Z", "1969-12-31T23:59:59Z");
    assert_texts(1465646400 * SECOND_NS + 7, "2016-06-11T12:00:00.000000007Z",
                 "2016-06-11T12:00:00Z");
    assert_texts(INT64_MAX, "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16Z");
    assert_texts(INT64_MIN, "1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43Z");
}

static void test_days(void **arg)
{
    (void)arg;
    char text[TIME_TEXT];
    assert_int_equal(time_day(0), 0);
    assert_int_equal(time_day(DAY_NS - 1), 0);
    assert_int_equal(time_day(-1), -1);
    assert_int_equal(time_day(-DAY_NS), -1);
    assert_int_equal(time_day(-DAY_NS - 1), -2);
    time_day_text(16963, text);
    assert_string_equal(text, "2016-06-11");
    time_day_text(-1, text);
    assert_string_equal(text, "1969-12-31");
    time_day_text(time_day(INT64_MAX) + 1, text); /* the day after the last one of a time */
    assert_string_equal(text, "2262-04-12");
}

static void test_read_day(void **arg)
{
    (void)arg;
    int32_t day = 0;
    assert_true(time_read_day("2016-06-11", &day));
    assert_int_equal(day, 16963);
    assert_true(time_read_day("1970-01-01", &day));
    assert_int_equal(day, 0);
    assert_false(time_read_day("2016-06-31", &day));
    assert_false(time_read_day("2016-6-11", &day));
    assert_false(time_read_day("2016-06-11T00:00:00Z", &day));
    assert_false(time_read_day("2016-06-1a", &day));
}

/* The same moment is two days, by the calendars of two places. */
static void test_today(void **arg)
{
    (void)arg;
    setenv("TZ", "XXX-14", 1);
    const int32_t east = time_today();
    setenv("TZ", "XXX+12", 1);
    const int32_t west = time_today();
    assert_true(east - west == 1 || east - west == 2);
    setenv("TZ", "UTC", 1);
    const int32_t before = time_day(time_wall_ns());
    const int32_t today = time_today();
    assert_true(today == before || today == time_day(time_wall_ns()));
    unsetenv("TZ");
}

static void test_specs(void **arg)
{
    (void)arg;
    static const int64_t times[] = {0, 1, -1, SECOND_NS, -SECOND_NS, INT64_MAX};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct timespec t = time_to_spec(times[i]);
        assert_in_range(t.tv_nsec, 0, SECOND_NS - 1);
        assert_true(time_from_spec(&t) == times[i]);
    }
    assert_int_equal(time_to_spec(-1).tv_sec, -1);
}

static void test_shift(void **arg)
{
    (void)arg;
    int64_t wall = time_wall_ns(), mono = time_mono_ns();
    time_shift(-DAY_NS, 3600 * SECOND_NS);
    int64_t late_wall = time_wall_ns(), late_mono = time_mono_ns();
    time_shift(0, 0);
    assert_in_range(late_mono - mono - 3600 * SECOND_NS, 0, 60 * SECOND_NS);
    assert_true(late_wall < wall - DAY_NS + 60 * SECOND_NS);
    assert_in_range(time_mono_ns() - mono, 0, 60 * SECOND_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts), cmocka_unit_test(test_days),  cmocka_unit_test(test_read_day),
        cmocka_unit_test(test_today), cmocka_unit_test(test_specs), cmocka_unit_test(test_shift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
