/* SPDX-License-Identifier: MIT */
/* Takes numbers from the front of untrusted bytes. If there are too few, a function returns false
 * and takes nothing. */
#ifndef INFLUXFS_INFLUX_BYTES_H
#define INFLUXFS_INFLUX_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t n;
};

static inline bool bytes_skip(struct bytes *b, uint64_t n)
{
    if (n > b->n)
        return false;
    b->p += n;
    b->n -= (size_t)n;
    return true;
}

/* The eight bytes at p, big-endian. */
static inline uint64_t bytes_load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return be64toh(v);
}

/* A big-endian number of n bytes, at most eight. */
static inline bool bytes_be(struct bytes *b, size_t n, uint64_t *v)
{
    if (n > b->n)
        return false;
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++)
        x = x << 8 | b->p[i];
    *v = x;
    return bytes_skip(b, n);
}

/* A number in groups of seven bits, the lowest first; at most 64 bits. */
static inline bool bytes_uvarint(struct bytes *b, uint64_t *v)
{
    uint64_t x = 0;
    for (size_t i = 0; i < b->n && i < 10; i++) {
        if (i == 9 && b->p[i] > 1)
            return false;
        x |= (uint64_t)(b->p[i] & 0x7f) << (7 * i);
        if (b->p[i] < 0x80) {
            *v = x;
            return bytes_skip(b, i + 1);
        }
    }
    return false;
}

/* The next n bytes. */
static inline bool bytes_take(struct bytes *b, uint64_t n, const void **p)
{
    const uint8_t *at = b->p;
    if (!bytes_skip(b, n))
        return false;
    *p = at;
    return true;
}

#endif
