/* SPDX-License-Identifier: MIT */
/*
 * What an entry of a write-ahead log says: its payload, unpacked (wal.h has the frame around it).
 *
 *   1 write         { type u8 | key length u16 | key | count u32 | { time i64 | value }… }…
 *                   type: 1 float and 2 integer, eight bytes; 3 boolean, one byte, true if it is 1;
 *                   4 string, length u32 and bytes; 5 unsigned, eight bytes
 *   2 delete        keys between newlines; all their values are deleted
 *   3 delete range  first time i64 | last time i64 | { key length u32 | key }…, times inclusive
 *
 * Numbers are big-endian. Keys are those of serieskey.h, in any order. Of values with the same time
 * the last one counts. (influxdb tsdb/engine/tsm1/wal.go)
 */
#ifndef INFLUXFS_INFLUX_WALENTRY_H
#define INFLUXFS_INFLUX_WALENTRY_H

#include "store/influx/source.h"
#include "store/influx/value.h"

enum walentry_type { WALENTRY_WRITE = 1, WALENTRY_DELETE = 2, WALENTRY_DELETE_RANGE = 3 };

/* Called in the order of the payload; any may be NULL. Times are nanoseconds since 1970. Keys and
 * strings point into the payload. A non-zero result ends the walk. */
struct walentry_visitor {
    /* The key of the values that follow. */
    int (*key)(void *ctx, const char *key, size_t len, enum value_type type, size_t count);
    /* v->s is of a string that begins at text, off being 0. */
    int (*value)(void *ctx, int64_t time, const union value *v, const char *text);
    int (*remove)(void *ctx, const char *key, size_t len, int64_t min, int64_t max);
    void *ctx;
};

/* 0 if the payload is whole and of known types, else -EBADMSG, or the visitor's result. It is
 * untrusted; the visitor may have seen part of a damaged payload. */
int walentry_walk(int type, const void *payload, size_t n, const struct walentry_visitor *v);

/* Replays a segment that ends with a whole entry, as in captures: passes everything in it to the
 * visitor, in order; a non-zero result ends the reading and is returned. The bytes are untrusted.
 * Errors: -EBADMSG for anything but whole, good entries, with the file, the offset and the cause in
 * e; -ENOMEM; those of the source. Memory: the largest entry and its unpacked form, at most 22
 * times that. */
int walread(const struct source *s, const struct walentry_visitor *v, struct err *e);

/* Whether entries of a segment may delete something: a look at what lies around them alone. Where that
 * cannot be told, as the segment is damaged or cannot be read, they may. */
bool walread_may_delete(const struct source *s);

#endif
