/* SPDX-License-Identifier: MIT */
/* Values of options: lists of names and of ids. */
#include "store/program/values.h"

#include "store/chain/cuts.h"
#include "store/influx/selection.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
