/* SPDX-License-Identifier: MIT */
/*
 * Points that influxd has deleted and that will come back when it starts the next time.
 *
 * An influxd before 1.8 that was started with data in the WAL may write the data to a TSM file and
 * yet keep the segment. What is deleted after that gets a tombstone only: it is gone from the
 * answers, but is still in the segment, and nothing there says that it was deleted.
 * (influxdata/influxdb 14229)
 */
#ifndef INFLUXFS_POINTS_REVIVED_H
#define INFLUXFS_POINTS_REVIVED_H

#include "store/points/shards.h"

/* Counts the values of a shard's WAL that are covered by a tombstone not older than their segment.
 * Reads nothing unless there is such a segment. Errors as those of measurement_open. */
int revived_count(const struct capture *c, const struct shard_files *sh, uint64_t *n,
                  struct err *e);

#endif
