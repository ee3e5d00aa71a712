/* SPDX-License-Identifier: MIT */
/* Search in a sorted array for a place; bsearch(3) finds an item. */
#ifndef INFLUXFS_BASE_BISECT_H
#define INFLUXFS_BASE_BISECT_H

#include <stdbool.h>
#include <stddef.h>

/* The first of n items that is not before the key, n if all are. `before` is true for the items up
 * to there and false for the rest, which is all that sorted means here. Inline, so that the
 * compiler can see through `before`. */
static inline size_t bisect(const void *list, size_t n, size_t size, const void *key,
                            bool (*before)(const void *item, const void *key))
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (before((const char *)list + middle * size, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
