/* SPDX-License-Identifier: MIT */
/* Which parts of a WAL segment a capture holds (struct wal_cut): its complete entries. */
#ifndef INFLUXFS_SNAPSHOT_WALPARTS_H
#define INFLUXFS_SNAPSHOT_WALPARTS_H

#include "store/snapshot/capture.h"

/* Finds them below `size`, the WAL cut. growing: influxd may be writing the segment, or was when it
 * was killed, so that a torn end is no damage. *known: up to here an earlier look found complete
 * entries, or 0; then where the first part ends. The caller frees *out. Errors as wal_scan. */
int walparts_find(int fd, uint64_t size, bool growing, uint64_t *known, struct wal_cut **out);

/* The bytes in all parts. */
uint64_t walparts_size(const struct wal_cut *cut);

/* Where byte `off` of the parts lies in the segment, and how many of the n bytes from there lie
 * together, at least one. The n bytes must lie within the parts, n > 0. */
size_t walparts_at(const struct wal_cut *cut, uint64_t off, size_t n, uint64_t *at);

#endif
