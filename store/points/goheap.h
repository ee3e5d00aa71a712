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

/* Where the items of a level lie (goheap.c). */
struct goheap_level {
    uint64_t base;
    unsigned below, block;
};

struct goheap {
    struct answer_array *items; /* of struct goheap_item: at first the first n are in the heap */
    size_t n;
    bool paged; /* they lie as the levels say, by goheap_init */
    struct goheap_level levels[33];
    /* Whether a is less than b, of the same time. */
    bool (*less)(void *ctx, const struct goheap_item *a, const struct goheap_item *b);
    void *ctx;
};

/* Orders items that were put there; later, no more than these are in the heap. It may exchange the array. */
void goheap_init(struct goheap *h);

struct goheap_item goheap_pop(struct goheap *h); /* takes the least; h->n must not be 0 */
void goheap_push(struct goheap *h, struct goheap_item item);

/* Item i of the heap; the least is 0. */
struct goheap_item goheap_at(const struct goheap *h, size_t i);

#endif
