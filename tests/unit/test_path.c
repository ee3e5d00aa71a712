/* SPDX-License-Identifier: MIT */
/* path: parents, names and joins, as text. */
#include "store/base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_last(void **arg)
{
    (void)arg;
    assert_string_equal(path_last("a/b/c"), "c");
    assert_string_equal(path_last("/a"), "a");
    assert_string_equal(path_last("a"), "a");
    assert_string_equal(path_last("/"), "");
    assert_string_equal(path_last(""), "");
}

static void test_up(void **arg)
{
    (void)arg;
    static const char *const steps[][4] = {{"a/b/c", "a/b", "a", ""}, {"/a/b", "/a", "/", NULL}};
    for (size_t i = 0; i < 2; i++) {
        char path[16];
        snprintf(path, sizeof(path), "%s", steps[i][0]);
        for (size_t k = 1; k < 4 && steps[i][k]; k++) {
            assert_true(path_up(path));
            assert_string_equal(path, steps[i][k]);
        }
        assert_false(path_up(path));
        assert_string_equal(path, i ? "/" : "");
    }
}

static void assert_below(const char *path, const char *folder, const char *rest)
{
    const char *got = path_below(path, folder);
    if (rest)
        assert_string_equal(got, rest);
    else
        assert_null(got);
}

static void test_below(void **arg)
{
    (void)arg;
    assert_below("a/b/c", "a", "b/c");
    assert_below("a/b/c", "a/b/c", "");
    assert_below("ab", "a", NULL);
    assert_below("a", "ab", NULL);
    assert_below("a", "a/b", NULL);
    assert_below("/a/b", "/", "a/b");
    assert_below("/", "/", "");
    assert_below("/a", "/b", NULL);
    assert_below("a/b", "", "a/b");
    assert_below("/a", "", NULL);
    assert_below("", "", "");
}

static void assert_join(const char *folder, const char *name, const char *expected)
{
    char *got = path_join(folder, name);
    assert_string_equal(got, expected);
    free(got);
}

static void test_join(void **arg)
{
    (void)arg;
    assert_join("a/b", "c", "a/b/c");
    assert_join("/", "a", "/a");
    assert_join("", "a/b", "a/b");
    assert_join("a", "", "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last),
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
