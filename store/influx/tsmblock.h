/* SPDX-License-Identifier: MIT */
/*
 * Decodes a block of a TSM file: the values of one field of one series, up to a few thousand.
 *
 *   type u8 | length of the times uvarint | times | values up to the end of the block
 *
 * Times and integers (each value less the one before, zigzag), by the high four bits of their first
 * byte: 0 raw, eight bytes each; 1 the first as eight bytes, then words of simple8b; 2 the first,
 * the difference and a count. The low four bits of the times' first byte are log10 of what their
 * differences were divided by. Unsigned integers are the same bits. Floats: Gorilla, ended by the
 * NaN 0x7ff8000000000001. Booleans: a count, and bits from the most significant one. Strings: one
 * raw snappy block of { uvarint length, bytes }…. Fixed-width numbers are big-endian. (influxdb
 * tsdb/engine/tsm1/encoding.go, timestamp.go, int.go, float.go, bool.go, string.go; simple8b:
 * github.com/jwilder/encoding)
 *
 * The bytes are untrusted. There must be as many values as times, and nothing after them.
 */
#ifndef INFLUXFS_INFLUX_TSMBLOCK_H
#define INFLUXFS_INFLUX_TSMBLOCK_H

#include "store/base/err.h"
#include "store/influx/value.h"

#include <stddef.h>

/* influxd writes 1000 points a block, and some later versions 10,000. More is damage. */
#define TSMBLOCK_MAX_POINTS 65536
/* The most bytes that a block's strings may take. */
#define TSMBLOCK_MAX_STRINGS (1u << 30)

/* Zeroed before its first use; reused by the next decoding. */
struct tsmblock {
    enum value_type type;
    size_t n;
    int64_t *times; /* nanoseconds since 1970, not descending */
    union value *values;
    char *strings; /* what s.off of a string counts from; not NUL-terminated */
    size_t cap, strings_cap;
};

/* Decodes the n bytes of a block without its checksum. -EBADMSG, with the byte of the block and the
 * cause in e, or -ENOMEM: *b then holds no points. */
int tsmblock_decode(struct tsmblock *b, const void *p, size_t n, struct err *e);

/* The same for the type and the times alone: the values are not read, and b->values is empty. */
int tsmblock_decode_times(struct tsmblock *b, const void *p, size_t n, struct err *e);

/* Makes *to a copy of the points [first, end), with its own strings. 0 or -ENOMEM: then it holds no
 * points. */
int tsmblock_copy(struct tsmblock *to, const struct tsmblock *from, size_t first, size_t end);

void tsmblock_free(struct tsmblock *b);

#endif
