/* SPDX-License-Identifier: MIT */
/*
 * How much of a write-ahead log segment influxd could replay.
 *
 * A segment is { type u8 | length u32 big-endian | raw snappy of that length }…, without header or
 * checksum (influxdb tsdb/engine/tsm1/wal.go). influxd flushes it through a buffer, so it may end
 * anywhere within an entry; after a crash an influxd up to 1.12 leaves a run of zeros in the middle
 * and writes on after it. Offsets and lengths are bytes from the start of the file.
 *
 * Both functions read by pread(2), up to wal_cut only, and may be called in any thread. The
 * contents are untrusted. Memory: the largest entry, which must fit below wal_cut, and what it
 * unpacks to, which snappy limits to 22 times that; nothing is allocated for an entry before its
 * claim is plausible.
 *
 * Errors: -ENODATA if the file is shorter than wal_cut, -EINVAL if from > wal_cut, -ENOMEM, or what
 * pread(2) says.
 */
#ifndef INFLUXFS_INFLUX_WAL_H
#define INFLUXFS_INFLUX_WAL_H

#include <stdint.h>

/* Where a run of entries ends. */
enum wal_end {
    WAL_WHOLE, /* wal_cut */
    WAL_TORN,  /* an incomplete entry, whose rest may still follow */
    WAL_BAD,   /* not an entry, even in part; or a hole, which wal_hole finds */
};

/* Follows the entries from `from`, which is where one begins (0, or an earlier *good, or where a
 * hole ends), and sets *good just past the last one that is whole below wal_cut and that influxd's
 * replay would take: known type, decodable, and a payload whose inner lengths add up. A torn or bad
 * entry is no error: the run ends before it, *good == from if it is the first, and *end says which
 * it was. A length that was damaged so that it leads past wal_cut looks torn, unless it does not
 * fit what the payload says of itself. */
int wal_scan(int fd, uint64_t from, uint64_t wal_cut, uint64_t *good, enum wal_end *end);

/* Sets *next to the first byte at or after `from` that is not zero, or to wal_cut if there is none.
 * Holes of a sparse file are skipped, not read; the descriptor's position may move. */
int wal_hole(int fd, uint64_t from, uint64_t wal_cut, uint64_t *next);

#endif
