/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a gzip file that compresses nothing: the place of each byte, and so the size, is
 * arithmetic.
 *
 *   1f 8b 08 08 | 0 u32 | 0 | ff | name | 0          a header with a file name (RFC 1952)
 *   { last u8 | length u16 | its complement u16 | bytes }…   stored blocks (RFC 1951, 3.2.4)
 *   CRC-32 u32 | length u32, mod 2^32                numbers are little-endian
 *
 * The CRC is asked for only by a read of the trailer. Pure; safe in any thread.
 */
#ifndef INFLUXFS_SETS_STOREDGZIP_H
#define INFLUXFS_SETS_STOREDGZIP_H

#include "store/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* What is within. Functions return 0 or -errno. */
struct storedgzip {
    const char *name; /* in the header */
    uint64_t size;    /* bytes */
    int (*read)(void *ctx, void *buf, size_t n, uint64_t off, struct err *e);
    int (*crc)(void *ctx, uint32_t *out, struct err *e);
    void *ctx;
};

/* Of the gzip file, for a name of that length and so many bytes within. */
uint64_t storedgzip_size(size_t name, uint64_t size);

/* Reads the n bytes at off, which must lie within the gzip file. */
int storedgzip_read(const struct storedgzip *g, void *buf, size_t n, uint64_t off, struct err *e);

#endif
