/* SPDX-License-Identifier: MIT */
#include "store/points/goheap.h"

static inline void heap_set(const struct goheap *h, size_t i, const struct goheap_item *item)
{
    *(struct goheap_item *)answer_array_change(h->items, i) = *item;
}

static inline bool less(const struct goheap *h, const struct goheap_item *a,
                        const struct goheap_item *b)
{
    return a->time != b->time ? a->time < b->time : h->less(h->ctx, a, b);
}

/* Moves up what is to lie at j, for which there is room. */
static void goheap_up(struct goheap *h, size_t j, const struct goheap_item *item)
{
    while (j > 0) {
        const size_t i = (j - 1) / 2;
        const struct goheap_item above = goheap_at(h, i);
        if (!less(h, item, &above))
            break;
        heap_set(h, j, &above);
        j = i;
    }
    heap_set(h, j, item);
}

/* Moves down what is to lie at i, of n items. */
static void goheap_down(struct goheap *h, size_t i, size_t n, const struct goheap_item *item)
{
    for (size_t j; (j = 2 * i + 1) < n; i = j) {
        struct goheap_item below = goheap_at(h, j);
        if (j + 1 < n) {
            const struct goheap_item right = goheap_at(h, j + 1);
            if (less(h, &right, &below)) {
                below = right;
                j++;
            }
        }
        if (!less(h, &below, item))
            break;
        heap_set(h, i, &below);
    }
    heap_set(h, i, item);
}

void goheap_init(struct goheap *h)
{
    for (size_t i = h->n / 2; i-- > 0;) {
        const struct goheap_item item = goheap_at(h, i);
        goheap_down(h, i, h->n, &item);
    }
}

struct goheap_item goheap_pop(struct goheap *h)
{
    const struct goheap_item least = goheap_at(h, 0), last = goheap_at(h, --h->n);
    if (h->n > 0)
        goheap_down(h, 0, h->n, &last);
    return least;
}

void goheap_push(struct goheap *h, struct goheap_item item)
{
    if (h->n == answer_array_count(h->items))
        answer_array_add(h->items, &item);
    goheap_up(h, h->n++, &item);
}
