/* SPDX-License-Identifier: MIT */
/*
 * Points that influxd has deleted and that come back when it starts the next time.
 *
 * An influxd older than mid-2019 (1.8) that was started with data in the WAL may write it to a TSM
 * file and keep the segment. What is deleted afterwards gets a tombstone only: it is gone from the
 * answers, but the segment has it still, and nothing there says that it was deleted.
 * (influxdata/influxdb 14229)
 */
#ifndef INFLUXFS_POINTS_REVIVED_H
#define INFLUXFS_POINTS_REVIVED_H

#include "store/points/shards.h"

/* How many values of a shard's WAL are covered by a tombstone that is not older than their segment.
 * Errors as measurement_open. Reads nothing unless there is such a segment. */
int revived_count(const struct capture *c, const struct shard_files *sh, uint64_t *n,
                  struct err *e);

#endif
