/* SPDX-License-Identifier: MIT */
/* goheap: the very moves of Go's container/heap. Items are equal if their tens are, so that the
 * order in which they come out tells the moves; what is expected was computed with a transcription
 * of Go's source. */
#include "store/points/goheap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const uint32_t *values;

static bool less(void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    return values[a] / 10 < values[b] / 10;
}

/* A heap of numbers whose times are all the same. */
static struct goheap heap_of(uint32_t *items, const uint32_t *list)
{
    static const int64_t times[10];
    values = list;
    return (struct goheap){.items = items, .times = times, .less = less};
}

static void test_order_of_equals(void **state)
{
    (void)state;
    static const uint32_t want[] = {0, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    static const uint32_t list[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint32_t items[10];
    struct goheap h = heap_of(items, list);
    for (uint32_t i = 0; i < 10; i++)
        items[h.n++] = i;
    goheap_init(&h);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(list[goheap_pop(&h)], want[i]);
}

static void test_pushes(void **state)
{
    (void)state;
    static const uint32_t want[] = {3, 4, 5, 14, 12, 13, 11, 15};
    static const uint32_t list[] = {11, 12, 3, 13, 4, 14, 5, 15};
    uint32_t items[8];
    struct goheap h = heap_of(items, list);
    for (uint32_t i = 0; i < 8; i++)
        goheap_push(&h, i);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(list[goheap_pop(&h)], want[i]);
    assert_int_equal(h.n, 0);
}

/* As streams are merged: the least goes back with its next value as long as it has one. */
static void test_streams(void **state)
{
    (void)state;
    static const uint32_t want[] = {15, 25, 33, 35, 37, 31, 34, 41, 44, 47,
                                    43, 45, 53, 55, 56, 52, 54, 51, 50, 57};
    uint32_t list[] = {50, 31, 52, 33, 34, 15, 56, 37};
    uint32_t items[8];
    struct goheap h = heap_of(items, list);
    for (uint32_t i = 0; i < 8; i++)
        items[h.n++] = i;
    goheap_init(&h);
    for (int i = 0; i < 20; i++) {
        uint32_t n = goheap_pop(&h);
        assert_int_equal(list[n], want[i]);
        if (i >= 12)
            continue;
        list[n] += 10;
        goheap_push(&h, n);
    }
    assert_int_equal(h.n, 0);
}

static bool never(void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    (void)a;
    (void)b;
    return false;
}

/* Times decide before anything else, and move items as the same values in `less` do. */
static void test_times(void **state)
{
    (void)state;
    static const uint32_t list[] = {50, 31, 52, 33, 34, 15, 56, 37};
    int64_t times[8];
    uint32_t a[8], b[8];
    struct goheap by_less = heap_of(a, list);
    struct goheap by_time = {.items = b, .times = times, .less = never};
    for (uint32_t i = 0; i < 8; i++) {
        times[i] = list[i] / 10;
        goheap_push(&by_less, i);
        goheap_push(&by_time, i);
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(goheap_pop(&by_less), goheap_pop(&by_time));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_equals),
        cmocka_unit_test(test_pushes),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
