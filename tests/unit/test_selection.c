/* SPDX-License-Identifier: MIT */
#include "store/influx/selection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const ab[] = {"a", "b"};
static const uint64_t ids[] = {10, 7};

static void test_all(void **state)
{
    struct selection s = SELECTION_ALL;
    (void)state;
    assert_true(selection_is_all(&s) && selection_of_databases(&s));
    assert_true(selection_has_shard(&s, "", "x", 0, INT64_MIN, INT64_MAX));
}

static void test_databases(void **state)
{
    struct selection s = SELECTION_ALL;
    (void)state;
    s.databases = ab;
    s.ndatabases = 2;
    assert_true(!selection_is_all(&s) && selection_of_databases(&s));
    assert_true(selection_has_database(&s, "a") && !selection_has_database(&s, "aa"));
    s.exclude = ab + 1;
    s.nexclude = 1;
    assert_true(selection_has_database(&s, "a") && !selection_has_database(&s, "b"));
    s.ndatabases = 0;
    assert_true(!selection_is_all(&s) && selection_has_database(&s, "c"));
}

static void test_part(void **state)
{
    struct selection s = SELECTION_ALL;
    (void)state;
    s.rp = "autogen";
    assert_true(!selection_of_databases(&s));
    assert_true(selection_has_policy(&s, "a", "autogen") && !selection_has_policy(&s, "a", "x"));
    s.shards = ids;
    s.nshards = 2;
    assert_true(selection_has_shard(&s, "a", "autogen", 7, 0, 10));
    assert_false(selection_has_shard(&s, "a", "autogen", 1, 0, 10));
}

/* A group holds start <= time < end; so does a range. */
static void test_times(void **state)
{
    struct selection s = SELECTION_ALL;
    (void)state;
    s.from = 10;
    s.to = 20;
    assert_false(selection_has_shard(&s, "a", "b", 1, 0, 10));
    assert_true(selection_has_shard(&s, "a", "b", 1, 0, 11));
    assert_true(selection_has_shard(&s, "a", "b", 1, 19, 30));
    assert_false(selection_has_shard(&s, "a", "b", 1, 20, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_databases),
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
