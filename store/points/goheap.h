/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of series that moves its items exactly as Go's container/heap does.
 *
 * influxd merges series with such a heap. Its order treats points of the same time and unlike
 * fields as equal, so earlier moves decide their order. The same answer needs the same moves.
 *
 * The items lie in an array that need not fit in memory; its failures are the spill's.
 */
#ifndef INFLUXFS_POINTS_GOHEAP_H
#define INFLUXFS_POINTS_GOHEAP_H

#include "store/points/answer_spill.h"

/* 16 bytes. */
struct goheap_item {
    int64_t time; /* earlier ones are less */
    uint32_t series;
    uint32_t order; /* for `less` */
};

struct goheap {
    struct answer_array
        *items; /* of struct goheap_item: the first n are in the heap, the first of */
    size_t n;   /* these is the least */
    /* Whether a is less than b, of the same time. */
    bool (*less)(void *ctx, const struct goheap_item *a, const struct goheap_item *b);
    void *ctx;
};

void goheap_init(struct goheap *h);              /* orders items that were put there */
struct goheap_item goheap_pop(struct goheap *h); /* takes the least; h->n must not be 0 */
void goheap_push(struct goheap *h, struct goheap_item item);

static inline struct goheap_item goheap_at(const struct goheap *h, size_t i)
{
    return *(const struct goheap_item *)answer_array_at(h->items, i);
}

#endif
