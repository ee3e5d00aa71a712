/* SPDX-License-Identifier: MIT */
/*
 * Reads a tombstone file: what was deleted from the TSM file of the same name, and from no other.
 *
 * The first four bytes, big-endian, say how the rest is written:
 *   0x1502  { key length u32 | key | first time i64 | last time i64 }…, times inclusive
 *   0x1503  the same in one gzip stream
 *   0x1504  the same in a gzip stream for each delete, one after the other
 *   other   lines, each a key whose values are all deleted; an empty file has none
 * (influxdb tsdb/engine/tsm1/tombstone.go). Numbers are big-endian, keys those of serieskey.h.
 * A range from INT64_MIN to INT64_MAX is the whole key.
 *
 * The bytes are untrusted; keys are at most 65,535 bytes, and memory does not depend on what a file
 * claims. Errors: -EBADMSG, with the file, the offset and the cause in e, -ENOMEM, what the
 * source says.
 */
#ifndef INFLUXFS_INFLUX_TOMBSTONE_H
#define INFLUXFS_INFLUX_TOMBSTONE_H

#include "store/influx/source.h"

/* Called for each range, in the order of the file; a non-zero result ends the reading and is
 * returned. */
typedef int (*tombstone_fn)(void *ctx, const char *key, size_t len, int64_t min, int64_t max);

int tombstone_read(const struct source *s, tombstone_fn fn, void *ctx, struct err *e);

#endif
