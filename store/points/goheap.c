/* SPDX-License-Identifier: MIT */
#include "store/points/goheap.h"

static inline bool less(const struct goheap *h, uint32_t a, uint32_t b)
{
    const int64_t ta = h->times[a], tb = h->times[b];
    return ta != tb ? ta < tb : h->less(h->ctx, a, b);
}

static void swap(struct goheap *h, size_t i, size_t j)
{
    uint32_t item = h->items[i];
    h->items[i] = h->items[j];
    h->items[j] = item;
}

static void goheap_up(struct goheap *h, size_t j)
{
    while (j > 0) {
        size_t i = (j - 1) / 2;
        if (!less(h, h->items[j], h->items[i]))
            return;
        swap(h, i, j);
        j = i;
    }
}

static void goheap_down(struct goheap *h, size_t i, size_t n)
{
    for (;;) {
        size_t j = 2 * i + 1;
        if (j >= n)
            return;
        if (j + 1 < n && less(h, h->items[j + 1], h->items[j]))
            j++;
        if (!less(h, h->items[j], h->items[i]))
            return;
        swap(h, i, j);
        i = j;
    }
}

void goheap_init(struct goheap *h)
{
    for (size_t i = h->n / 2; i-- > 0;)
        goheap_down(h, i, h->n);
}

uint32_t goheap_pop(struct goheap *h)
{
    h->n--;
    swap(h, 0, h->n);
    goheap_down(h, 0, h->n);
    return h->items[h->n];
}

void goheap_push(struct goheap *h, uint32_t item)
{
    h->items[h->n] = item;
    goheap_up(h, h->n++);
}
