/* SPDX-License-Identifier: MIT */
/* Values of options: lists of names and of ids; what the nightly jobs take. */
#include "store/program/values.h"

#include "store/chain/cuts.h"
#include "store/influx/selection.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    struct selection s = SELECTION_ALL;
    (void)state;
    assert_int_equal(value_databases("x\\:y:z:\\:", &s, NULL), 0);
    assert_int_equal(value_databases("b c", &s, NULL), 0);
    assert_int_equal(s.ndatabases, 4);
    assert_string_equal(s.databases[0], "x:y");
    assert_string_equal(s.databases[1], "z");
    assert_string_equal(s.databases[2], ":");
    assert_string_equal(s.databases[3], "b c");
    value_selection_clear(&s);
    assert_int_equal(s.ndatabases, 0);
}

static void test_refused_names(void **state)
{
    static const char *const bad[] = {"", ":", "a:", ":a", "a::b"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct selection s = SELECTION_ALL;
        struct cut_rules rules = {.exclude = NULL};
        assert_int_equal(value_databases(bad[i], &s, NULL), -EINVAL);
        assert_int_equal(value_exclude(bad[i], &rules, NULL), -EINVAL);
        value_selection_clear(&s);
        value_rules_clear(&rules);
    }
}

static void test_ids(void **state)
{
    static const char *const bad[] = {
        "", "x", "1,2", "1:", ":1", "-1", " 1", "18446744073709551616"};
    struct selection s = SELECTION_ALL;
    (void)state;
    assert_int_equal(value_shards("10:7:18446744073709551615", &s, NULL), 0);
    assert_int_equal(value_shards("8", &s, NULL), 0);
    assert_int_equal(s.nshards, 4);
    assert_true(s.shards[0] == 10 && s.shards[1] == 7 && s.shards[2] == UINT64_MAX);
    assert_true(s.shards[3] == 8);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(value_shards(bad[i], &s, NULL), -EINVAL);
    value_selection_clear(&s);
}

static void test_remotes(void **state)
{
    static const char *const good[] = {"swift:", "s3:bucket/base", ":local:/srv", "/srv/backup",
                                       "a b:x=y"};
    static const char *const bad[] = {
        "", "swift", ":", "::", "-x:", "srv/x", "s3,key=a:x", ":swift,key=secret:"};
    char *remote = NULL;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_int_equal(value_remote(good[i], &remote, &e), 0);
        assert_string_equal(remote, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(value_remote(bad[i], &remote, &e), -EINVAL);
        assert_null(strstr(e.text, "secret"));
    }
    free(remote);
}

static void test_nightly(void **state)
{
    static const char *const days[] = {"2016-6-11", "2016-02-30",  "1969-12-31", "11.6.2016",
                                       "",          "2016-06-11 ", "20160611",   "tomorrow"};
    static const char *const sizes[] = {"0", "-1", "5GB", "", "1.5G", "99999999T"};
    int32_t day = VALUE_NO_DAY, today = 0;
    uint64_t size = 0;
    bool read = false;
    struct value_format format = {.given = false};
    (void)state;
    assert_int_equal(value_day("2016-06-11", &day, NULL), 0);
    assert_int_equal(day, 16963);
    assert_int_equal(value_day("today", &today, NULL), 0);
    assert_int_equal(value_day("yesterday", &day, NULL), 0);
    assert_true(today - day == 1 || today - day == 0); /* at midnight */
    for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++)
        assert_int_equal(value_day(days[i], &day, NULL), -EINVAL);
    assert_int_equal(value_size("5G", &size, NULL), 0);
    assert_true(size == UINT64_C(5) << 30);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        assert_int_equal(value_size(sizes[i], &size, NULL), -EINVAL);
    assert_int_equal(value_verify("read", &read, NULL), 0);
    assert_true(read);
    assert_int_equal(value_verify("all", &read, NULL), -EINVAL);
    assert_int_equal(value_points("portable", &format, NULL), -EINVAL);
    assert_false(format.given);
    assert_int_equal(value_points("csv", &format, NULL), 0);
    assert_true(format.given);
}

static void test_store_ids(void **state)
{
    static const char *const bad[] = {"", "0123456", "0123456g", "0123456A",
                                      "0123456789abcdef0123456789abcdef0"};
    char *id = NULL;
    (void)state;
    assert_int_equal(value_store_id("01234567", &id, NULL), 0);
    assert_int_equal(value_store_id("0123456789abcdef0123456789abcdef", &id, NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(value_store_id(bad[i], &id, NULL), -EINVAL);
    free(id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_ids),     cmocka_unit_test(test_remotes),
        cmocka_unit_test(test_nightly), cmocka_unit_test(test_store_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
