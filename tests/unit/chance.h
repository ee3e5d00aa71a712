/* SPDX-License-Identifier: MIT */
/* Numbers by chance, the same in each run. */
#ifndef INFLUXFS_TESTS_CHANCE_H
#define INFLUXFS_TESTS_CHANCE_H

#include <stdint.h>

static inline uint64_t random64(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Of up to so many bits, small ones often. */
static inline uint64_t random_bits(unsigned bits)
{
    uint64_t n = random64() % (bits + 1);
    return n ? random64() >> (64 - n) : 0;
}

#endif
