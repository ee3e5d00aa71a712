/* SPDX-License-Identifier: MIT */
/*
 * Words of simple8b, eight big-endian bytes each: the high four bits say how many numbers of how
 * many bits follow, the first one lowest. (github.com/jwilder/encoding/simple8b)
 */
#ifndef INFLUXFS_INFLUX_SIMPLE8B_H
#define INFLUXFS_INFLUX_SIMPLE8B_H

#include "store/influx/bytes.h"

/* Unpacking a word overwrites up to this many numbers, less one, after its own. */
#define SIMPLE8B_SLACK 4

static const struct {
    uint8_t n, bits;
} simple8b_packing[16] = {{240, 0}, {120, 0}, {60, 1}, {30, 2}, {20, 3}, {15, 4}, {12, 5}, {10, 6},
                          {8, 7},   {7, 8},   {6, 10}, {5, 12}, {4, 15}, {3, 20}, {2, 30}, {1, 60}};

/* How many numbers a word holds. */
static inline size_t simple8b_count(const uint8_t *word)
{
    return simple8b_packing[*word >> 4].n;
}

/* Unpacks the numbers of a word. By fours: the end of an exact loop would be mispredicted. */
static inline void simple8b_unpack(const uint8_t *p, uint64_t *out)
{
    uint64_t word = bytes_load(p);
    size_t n = simple8b_packing[word >> 60].n;
    unsigned bits = simple8b_packing[word >> 60].bits;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    if (n == 1) {
        *out = word & mask;
        return;
    }
    if (bits == 0) {
        for (size_t i = 0; i < n; i++)
            out[i] = 1;
        return;
    }
    for (size_t i = 0; i < n; i += SIMPLE8B_SLACK, word >>= bits) {
        out[i] = word & mask;
        out[i + 1] = (word >>= bits) & mask;
        out[i + 2] = (word >>= bits) & mask;
        out[i + 3] = (word >>= bits) & mask;
    }
}

#endif
