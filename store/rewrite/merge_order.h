/* SPDX-License-Identifier: MIT */
/*
 * Names for the TSM files of several shards that become one.
 *
 * influxd orders the files of a shard by their names as strings, GENERATION-SEQUENCE.tsm with nine
 * digits each: where two have a point, that of the later file counts, and compactions keep that order
 * (influxdb tsdb/engine/tsm1/file_store.go, compact.go). So shards of the same times are merged by
 * giving the files of one of them generations below those of the other. The sequence of a file
 * says how far it is compacted, and stays, and so do files of one generation together. Pure.
 */
#ifndef INFLUXFS_REWRITE_MERGE_ORDER_H
#define INFLUXFS_REWRITE_MERGE_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* The files of one shard, in the order of their names (strcmp). */
struct merge_side {
    const char *const *names; /* each as name_is_tsm takes it */
    size_t n;
};

#define MERGE_NAME sizeof("999999999-999999999.tsm") /* bytes of a name */
#define MERGE_NO_HOME SIZE_MAX

/* Names for all files, side after side, into out; they ascend. The files of side `home` keep theirs
 * if there is room for the others below and above, else all are counted anew. 0, or -EOVERFLOW:
 * there are more generations than nine digits can count. */
int merge_order(const struct merge_side *sides, size_t n, size_t home, char (*out)[MERGE_NAME]);

#endif
