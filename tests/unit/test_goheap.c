/* SPDX-License-Identifier: MIT */
/* goheap: the very moves of Go's container/heap. Items are equal if their tens are, so that the
 * order in which they come out tells the moves; what is expected was computed with a transcription
 * of Go's source. */
#include "store/points/goheap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool less(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return *(const int *)a / 10 < *(const int *)b / 10;
}

static void test_order_of_equals(void **state)
{
    (void)state;
    static const int want[] = {0, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    int values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    void *items[10];
    struct goheap h = {.items = items, .less = less};
    for (size_t i = 0; i < 10; i++)
        items[h.n++] = &values[i];
    goheap_init(&h);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(*(int *)goheap_pop(&h), want[i]);
}

static void test_pushes(void **state)
{
    (void)state;
    static const int want[] = {3, 4, 5, 14, 12, 13, 11, 15};
    int values[] = {11, 12, 3, 13, 4, 14, 5, 15};
    void *items[8];
    struct goheap h = {.items = items, .less = less};
    for (size_t i = 0; i < 8; i++)
        goheap_push(&h, &values[i]);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(*(int *)goheap_pop(&h), want[i]);
    assert_int_equal(h.n, 0);
}

/* As streams are merged: the least goes back with its next value as long as it has one. */
static void test_streams(void **state)
{
    (void)state;
    static const int want[] = {15, 25, 33, 35, 37, 31, 34, 41, 44, 47,
                               43, 45, 53, 55, 56, 52, 54, 51, 50, 57};
    int values[] = {50, 31, 52, 33, 34, 15, 56, 37};
    void *items[8];
    struct goheap h = {.items = items, .less = less};
    for (size_t i = 0; i < 8; i++)
        items[h.n++] = &values[i];
    goheap_init(&h);
    for (int i = 0; i < 20; i++) {
        int *p = goheap_pop(&h);
        assert_int_equal(*p, want[i]);
        if (i >= 12)
            continue;
        *p += 10;
        goheap_push(&h, p);
    }
    assert_int_equal(h.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_equals),
        cmocka_unit_test(test_pushes),
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
