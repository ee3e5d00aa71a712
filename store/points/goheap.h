/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of series that moves its items exactly as Go's container/heap does.
 *
 * influxd merges series with such a heap. Its order treats points of the same time and unlike
 * fields as equal, so earlier moves decide their order. The same answer needs the same moves.
 *
 * Series are numbers, 4 bytes each.
 */
#ifndef INFLUXFS_POINTS_GOHEAP_H
#define INFLUXFS_POINTS_GOHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct goheap {
    uint32_t *items; /* the first is the least; room for all items to come */
    size_t n;
    const int64_t *times; /* by number: earlier ones are less */
    /* Whether a is less than b, for two of the same time. */
    bool (*less)(void *ctx, uint32_t a, uint32_t b);
    void *ctx;
};

void goheap_init(struct goheap *h);    /* orders items that were put there */
uint32_t goheap_pop(struct goheap *h); /* takes the least; h->n must not be 0 */
void goheap_push(struct goheap *h, uint32_t item);

#endif
