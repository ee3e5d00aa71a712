/* SPDX-License-Identifier: MIT */
/* goheap: the very moves of Go's container/heap. Items are equal if their tens are, so that the
 * order in which they come out tells the moves; what is expected was computed with a transcription
 * of Go's source. */
#include "store/points/goheap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct answer_spill *spill;

static bool less(void *ctx, const struct goheap_item *a, const struct goheap_item *b)
{
    (void)ctx;
    return a->order / 10 < b->order / 10;
}

static struct goheap new_heap(void)
{
    struct goheap h = {.less = less};
    assert_int_equal(answer_array_new(spill, sizeof(struct goheap_item), &h.items), 0);
    return h;
}

/* A heap of numbers whose times are all the same, not in order yet. */
static struct goheap heap_of(const uint32_t *list, size_t n)
{
    struct goheap h = new_heap();
    for (; h.n < n; h.n++) {
        const struct goheap_item item = {.order = list[h.n]};
        answer_array_add(h.items, &item);
    }
    return h;
}

static void end_heap(struct goheap *h)
{
    assert_int_equal(h->n, 0);
    answer_array_free(h->items);
}

static void test_order_of_equals(void **state)
{
    (void)state;
    static const uint32_t want[] = {0, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    static const uint32_t list[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct goheap h = heap_of(list, 10);
    goheap_init(&h);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(goheap_pop(&h).order, want[i]);
    end_heap(&h);
}

static void test_pushes(void **state)
{
    (void)state;
    static const uint32_t want[] = {3, 4, 5, 14, 12, 13, 11, 15};
    static const uint32_t list[] = {11, 12, 3, 13, 4, 14, 5, 15};
    struct goheap h = new_heap();
    for (uint32_t i = 0; i < 8; i++)
        goheap_push(&h, (struct goheap_item){.series = i, .order = list[i]});
    for (size_t i = 0; i < 8; i++) {
        const struct goheap_item item = goheap_pop(&h);
        assert_int_equal(item.order, want[i]);
        assert_int_equal(list[item.series], want[i]);
    }
    end_heap(&h);
}

/* As streams are merged: the least goes back with its next value as long as it has one. */
static void test_streams(void **state)
{
    (void)state;
    static const uint32_t want[] = {15, 25, 33, 35, 37, 31, 34, 41, 44, 47,
                                    43, 45, 53, 55, 56, 52, 54, 51, 50, 57};
    static const uint32_t list[] = {50, 31, 52, 33, 34, 15, 56, 37};
    struct goheap h = heap_of(list, 8);
    goheap_init(&h);
    for (int i = 0; i < 20; i++) {
        struct goheap_item item = goheap_pop(&h);
        assert_int_equal(item.order, want[i]);
        if (i >= 12)
            continue;
        item.order += 10;
        goheap_push(&h, item);
    }
    end_heap(&h);
}

static bool never(void *ctx, const struct goheap_item *a, const struct goheap_item *b)
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
    struct goheap by_less = new_heap(), by_time = new_heap();
    by_time.less = never;
    for (uint32_t i = 0; i < 8; i++) {
        goheap_push(&by_less, (struct goheap_item){.series = i, .order = list[i]});
        goheap_push(&by_time, (struct goheap_item){.series = i, .time = list[i] / 10});
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(goheap_pop(&by_less).series, goheap_pop(&by_time).series);
    end_heap(&by_less);
    end_heap(&by_time);
}

/* Items that lie in a file move as those in memory do, whatever their number. */
static void check_no_memory(struct answer_spill *small, uint32_t n)
{
    struct goheap here = new_heap(), there = {.less = less};
    uint32_t next = n;
    assert_int_equal(answer_array_new(small, sizeof(struct goheap_item), &there.items), 0);
    for (uint32_t i = 0; i < n; i++) {
        next = next * 1103515245 + 12345;
        const struct goheap_item item = {.time = next >> 26, .series = i, .order = next >> 18};
        answer_array_add(here.items, &item);
        answer_array_add(there.items, &item);
    }
    here.n = there.n = n;
    goheap_init(&here);
    goheap_init(&there);
    assert_true(!here.paged && there.paged == (n > 256));
    for (uint32_t i = 0; i < 3 * n; i++) {
        struct goheap_item item = goheap_pop(&here);
        assert_int_equal(goheap_pop(&there).series, item.series);
        item.time += item.series % 5;
        if (i >= 2 * n)
            continue;
        goheap_push(&here, item);
        goheap_push(&there, item);
        assert_int_equal(goheap_at(&there, i % n).series, goheap_at(&here, i % n).series);
    }
    end_heap(&here);
    end_heap(&there);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct points_spilled spilled = {0};
    struct answer_spill *small = NULL;
    assert_int_equal(answer_spill_new(1, "/tmp", &spilled, &small), 0);
    for (uint32_t n = 1; n < 10000; n += 1 + n / 8)
        check_no_memory(small, n);
    for (uint32_t n = 500; n < 530; n++)
        check_no_memory(small, n);
    assert_true(spilled.bytes > 0);
    assert_int_equal(answer_spill_check(small, NULL), 0);
    answer_spill_free(small);
}

static int set_up(void **state)
{
    (void)state;
    return answer_spill_new(1 << 20, "/tmp", NULL, &spill);
}

static int tear_down(void **state)
{
    (void)state;
    answer_spill_free(spill);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_equals), cmocka_unit_test(test_pushes),
        cmocka_unit_test(test_streams),         cmocka_unit_test(test_times),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
