/* SPDX-License-Identifier: MIT */
/* Search in a sorted array for a place; bsearch(3) finds an item. */
#ifndef INFLUXFS_BASE_BISECT_H
#define INFLUXFS_BASE_BISECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

static inline bool bisect_is_up_to(const void *item, const void *key)
{
    return *(const uint64_t *)item <= *(const uint64_t *)key;
}

/* The last of n ascending numbers that is not above v; the first one must not be. */
static inline size_t bisect_last(const uint64_t *list, size_t n, uint64_t v)
{
    return bisect(list, n, sizeof(*list), &v, bisect_is_up_to) - 1;
}

#endif
