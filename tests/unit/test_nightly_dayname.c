/* SPDX-License-Identifier: MIT */
/* dayname: the names of containers, and the days that they tell. */
#include "mount-helper/nightly/dayname.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY 16963 /* 2016-06-11 */

static void formats_that_tell_the_day_are_good(void **state)
{
    static const struct {
        const char *format, *name;
    } good[] = {{"%Y-%m-%d", "2016-06-11"},
                {"%F", "2016-06-11"},
                {"influx-%Y%m%d", "influx-20160611"},
                {"%y%m%d", "160611"},
                {"%Y.%j", "2016.163"},
                {"%d %B %Y", "11 June 2016"},
                {"%Y-%m-%d-%H:%M:%S", "2016-06-11-00:00:00"},
                {"%%%Y-%m-%d", "%2016-06-11"}};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct err e = {""};
        char name[DAYNAME];
        int32_t day = 0;
        if (dayname_check(good[i].format, &e) != 0)
            fail_msg("%s", e.text);
        dayname_of(good[i].format, DAY, name);
        assert_string_equal(name, good[i].name);
        assert_true(dayname_read(good[i].format, name, &day));
        assert_int_equal(day, DAY);
    }
}

static void other_formats_are_refused_with_words(void **state)
{
    static const char *const bad[] = {
        "",           "archive", "%Y-%m", "%Y-%d", "%m-%d", "%A",    "%Y/%m/%d",    "%D",
        "%Y-%m-%d%n", "%t",      "%",     "..",    ".",     "%Y-%U", "%Y-%m-%d %E", "%Y-%m-%d\x01"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err e = {""};
        if (dayname_check(bad[i], &e) != -EINVAL)
            fail_msg("%s is taken", bad[i]);
        assert_non_null(strstr(e.text, "%Y-%m-%d"));
    }
    char longest[DAYNAME + 10] = "%Y-%m-%d";
    memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
    assert_int_equal(dayname_check(longest, NULL), -EINVAL);
}

static void only_its_own_name_is_a_days(void **state)
{
    static const char *const others[] = {
        "2016-6-11", "2016-06-11 ", " 2016-06-11", "2016-06-31", "2016-06-11x", "",
        "shards",    "2016-06",     "99999-01-01", "9999-01-01", "0001-01-01",  "-100-01-01"};
    int32_t day = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (dayname_read(DAYNAME_DEFAULT, others[i], &day))
            fail_msg("\"%s\" is day %d", others[i], (int)day);
        assert_int_equal(day, 7);
    }
    assert_false(dayname_read("%s", "9223372036854775807", &day));
}

static void folders_are_below_the_container(void **state)
{
    autofree char *usual = dayname_folder(DAYNAME_DEFAULT, DAY, DAYNAME_SHARDS);
    autofree char *other = dayname_folder("x%d.%m.%y", DAY, DAYNAME_DUMPS);
    (void)state;
    assert_string_equal(usual, "2016-06-11/2016-06-11/shards");
    assert_string_equal(other, "x11.06.16/2016-06-11/influxdb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_that_tell_the_day_are_good),
        cmocka_unit_test(other_formats_are_refused_with_words),
        cmocka_unit_test(only_its_own_name_is_a_days),
        cmocka_unit_test(folders_are_below_the_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
