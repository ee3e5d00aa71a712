/* SPDX-License-Identifier: MIT */
/* array, bisect: room for one more, and the place for a key. */
#include "store/base/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_grow(void **arg)
{
    (void)arg;
    int *list = NULL;
    size_t n = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(array_grow(&list, n));
        list[n++] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    /* Taken out and filled again, over and over a power of two. */
    for (n = 260; n > 250; n--)
        ;
    for (int i = 0; i < 100; i++) {
        assert_true(array_grow(&list, n));
        list[n++] = i;
        n -= n == 258 ? 8 : 0;
    }
    assert_int_equal(list[249], 249);
    free(list);
}

static bool is_below(const void *item, const void *key)
{
    return *(const int *)item < *(const int *)key;
}

static void test_bisect(void **arg)
{
    (void)arg;
    int list[20];
    for (int n = 0; n <= 20; n++) {
        for (int i = 0; i < n; i++)
            list[i] = i / 2 * 2; /* 0 0 2 2 4 4 … */
        for (int key = -1; key <= n + 1; key++) {
            size_t expected = 0;
            while (expected < (size_t)n && list[expected] < key)
                expected++;
            assert_int_equal(array_bisect(list, (size_t)n, sizeof(*list), &key, is_below),
                             expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_bisect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
