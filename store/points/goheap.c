/* SPDX-License-Identifier: MIT */
#include "store/points/goheap.h"

static bool less(const struct goheap *h, size_t i, size_t j)
{
    return h->less(h->items[i], h->items[j], h->ctx);
}

static void swap(struct goheap *h, size_t i, size_t j)
{
    void *p = h->items[i];
    h->items[i] = h->items[j];
    h->items[j] = p;
}

static void goheap_up(struct goheap *h, size_t j)
{
    while (j > 0) {
        size_t i = (j - 1) / 2;
        if (!less(h, j, i))
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
        if (j + 1 < n && less(h, j + 1, j))
            j++;
        if (!less(h, j, i))
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

void *goheap_pop(struct goheap *h)
{
    h->n--;
    swap(h, 0, h->n);
    goheap_down(h, 0, h->n);
    return h->items[h->n];
}

void goheap_push(struct goheap *h, void *item)
{
    h->items[h->n] = item;
    goheap_up(h, h->n++);
}
