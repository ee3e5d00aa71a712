/* SPDX-License-Identifier: MIT */
/*
 * A heap that does not fit in memory lies so that a way from its top to its bottom meets few pages. Each page
 * holds a small heap: an item, and those below it for as many levels as fit. The last level, which is not
 * full, lies by itself, and the full ones are divided from there upwards, so that the first page alone may
 * have room left.
 */
#include "store/points/goheap.h"

#define MANY 4 /* times what fits; with fewer, it is not worth while */

static inline uint64_t heap_place(const struct goheap *h, size_t i)
{
    if (!h->paged)
        return i;
    const uint64_t number = (uint64_t)i + 1;
    const struct goheap_level *l = &h->levels[63 - __builtin_clzll(number)];
    const uint64_t first = (uint64_t)1 << l->below; /* of the level, in its small heap */
    return l->base + (number >> l->below << l->block) + (first | (number & (first - 1)));
}

/* Divides the levels of n items. Returns how many places they take. */
static uint64_t goheap_divide(struct goheap *h, uint64_t n)
{
    const unsigned full = 63 - (unsigned)__builtin_clzll(n + 1), fit = h->items->page_shift;
    unsigned some = full % fit ? full % fit : fit;
    uint64_t pages = 0;
    for (unsigned top = 0; top < full; top += some, some = fit) {
        const uint64_t base = (pages - ((uint64_t)1 << top)) << fit;
        for (unsigned i = 0; i < some; i++)
            h->levels[top + i] = (struct goheap_level){base, i, fit};
        pages += (uint64_t)1 << top;
    }
    h->levels[full] = (struct goheap_level){(pages << fit) - ((uint64_t)1 << full) - 1, 0, 0};
    return (pages << fit) + n - (((uint64_t)1 << full) - 1);
}

static inline struct goheap_item heap_at(const struct goheap *h, size_t i)
{
    return *(const struct goheap_item *)answer_array_at(h->items, heap_place(h, i));
}

static inline void heap_set(const struct goheap *h, size_t i, const struct goheap_item *item)
{
    *(struct goheap_item *)answer_array_change(h->items, heap_place(h, i)) = *item;
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
        const struct goheap_item above = heap_at(h, i);
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
        struct goheap_item below = heap_at(h, j);
        if (j + 1 < n) {
            const struct goheap_item right = heap_at(h, j + 1);
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

/* Puts the items in pages. Without memory for that they stay as they are. */
static void goheap_put_in_pages(struct goheap *h)
{
    struct answer_array *before = h->items, *after = NULL;
    if (answer_array_new(before->spill, sizeof(struct goheap_item), &after) < 0)
        return;
    h->items = after;
    h->paged = true;
    answer_array_extend(after, goheap_divide(h, h->n));
    for (size_t i = 0; i < h->n; i++) {
        const struct goheap_item item = *(const struct goheap_item *)answer_array_at(before, i);
        heap_set(h, i, &item);
    }
    answer_array_free(before);
}

void goheap_init(struct goheap *h)
{
    h->paged = false;
    if (h->n > MANY * answer_spill_room(h->items->spill) / sizeof(struct goheap_item))
        goheap_put_in_pages(h);
    for (size_t i = h->n / 2; i-- > 0;) {
        const struct goheap_item item = heap_at(h, i);
        goheap_down(h, i, h->n, &item);
    }
}

struct goheap_item goheap_pop(struct goheap *h)
{
    const struct goheap_item least = heap_at(h, 0), last = heap_at(h, --h->n);
    if (h->n > 0)
        goheap_down(h, 0, h->n, &last);
    return least;
}

void goheap_push(struct goheap *h, struct goheap_item item)
{
    if (!h->paged && h->n == answer_array_count(h->items))
        answer_array_add(h->items, &item);
    goheap_up(h, h->n++, &item);
}

struct goheap_item goheap_at(const struct goheap *h, size_t i)
{
    return heap_at(h, i);
}
