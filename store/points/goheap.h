/* SPDX-License-Identifier: MIT */
/*
 * A binary heap that moves its items exactly as Go's container/heap does.
 *
 * influxd merges series with such a heap, by an order that leaves points of the same time and
 * unlike fields equal: which comes first follows from the moves that were made before. To answer as
 * it answers is to make the same moves.
 */
#ifndef INFLUXFS_POINTS_GOHEAP_H
#define INFLUXFS_POINTS_GOHEAP_H

#include <stdbool.h>
#include <stddef.h>

struct goheap {
    void **items; /* the first is the least; room for all there will be */
    size_t n;
    bool (*less)(const void *a, const void *b, void *ctx);
    void *ctx;
};

void goheap_init(struct goheap *h); /* orders items that were put there */
void *goheap_pop(struct goheap *h); /* takes the least; h->n must not be 0 */
void goheap_push(struct goheap *h, void *item);

#endif
