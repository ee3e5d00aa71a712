/* SPDX-License-Identifier: MIT */
/*
 * A binary heap that moves its items exactly as Go's container/heap does.
 *
 * influxd merges series with such a heap. Its order treats points of the same time and unlike
 * fields as equal, so earlier moves decide their order. The same answer needs the same moves.
 */
#ifndef INFLUXFS_POINTS_GOHEAP_H
#define INFLUXFS_POINTS_GOHEAP_H

#include <stdbool.h>
#include <stddef.h>

struct goheap {
    void **items; /* the first is the least; room for all items to come */
    size_t n;
    bool (*less)(const void *a, const void *b, void *ctx);
    void *ctx;
};

void goheap_init(struct goheap *h); /* orders items that were put there */
void *goheap_pop(struct goheap *h); /* takes the least; h->n must not be 0 */
void goheap_push(struct goheap *h, void *item);

#endif
