/* SPDX-License-Identifier: MIT */
#include "store/influx/selection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

/* A copy has one order, however it was asked for. */
static void test_copy(void **state)
{
    static const char *const ba[] = {"b", "a", "b"};
    static const uint64_t other[] = {7, 10, 7};
    struct selection s = {ab, 2, ba, 3, "rp", ids, 2, -1, 5, true};
    struct selection t = {ba, 3, ab, 2, "rp", other, 3, -1, 5, true};
    struct selection *a, *b;
    (void)state;
    assert_int_equal(selection_copy(&s, &a), 0);
    assert_int_equal(selection_copy(&t, &b), 0);
    assert_int_equal(b->ndatabases, 2);
    assert_string_equal(b->databases[0], "a");
    assert_int_equal(b->nshards, 2);
    assert_true(b->shards[0] == 7 && b->shards[1] == 10);
    assert_true(selection_same(a, b));
    b->exact = false;
    assert_false(selection_same(a, b));
    assert_false(selection_same(a, NULL));
    selection_free(b);
    selection_free(a);
}

static void test_copy_of_all(void **state)
{
    const struct selection s = SELECTION_ALL;
    struct selection *a;
    (void)state;
    assert_int_equal(selection_copy(&s, &a), 0);
    assert_true(selection_is_all(a));
    assert_true(selection_same(a, NULL) && selection_same(NULL, NULL));
    a->rp = strdup("x");
    assert_false(selection_same(NULL, a));
    selection_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),  cmocka_unit_test(test_databases),
        cmocka_unit_test(test_part), cmocka_unit_test(test_times),
        cmocka_unit_test(test_copy), cmocka_unit_test(test_copy_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
