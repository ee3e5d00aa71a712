/* SPDX-License-Identifier: MIT */
/* Which times the points of a shard have, by the indexes of its TSM files where these tell, without
 * reading values. */
#ifndef INFLUXFS_REWRITE_MERGE_TIMES_H
#define INFLUXFS_REWRITE_MERGE_TIMES_H

#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

/* Points have the times min and max, and maybe others between, in nanoseconds since 1970. 0: that is
 * all that is asked; 1: each time between is shown, as min and max; or an error, which ends it. */
typedef int merge_times_fn(void *ctx, int64_t min, int64_t max);

/* Calls fn until all points of the shard are told, in no order, many times more than once. Deleted
 * points are none. Errors: what fn returns; -EBADMSG for damage; -EINTR by the reader (which may be
 * NULL); -ENOMEM; as capture_read. Memory: the unpacked WAL, what tombstones of a file delete, and a
 * block. */
int merge_times(const struct capture *c, const struct shard_files *sh,
                const struct tarball_reader *reader, merge_times_fn *fn, void *ctx, struct err *e);

#endif
