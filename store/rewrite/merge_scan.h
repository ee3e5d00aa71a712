/* SPDX-License-Identifier: MIT */
/* Finds the types of a shard's fields (merge_types.h) in the indexes of its files. */
#ifndef INFLUXFS_REWRITE_MERGE_SCAN_H
#define INFLUXFS_REWRITE_MERGE_SCAN_H

#include "store/points/shards.h"
#include "store/rewrite/merge_types.h"

/* Takes the keys of a shard, TSM files and WAL, that have points. Errors: -EBADMSG for damage;
 * -ENOMEM; as capture_read. Memory: the unpacked WAL, what the tombstones of a file delete. */
int merge_scan_shard(struct merge_types *t, const struct capture *c, const struct shard_files *sh,
                     struct err *e);

/* Takes the keys of a TSM file without tombstones; *fits: each is of its field's type. */
int merge_scan_file(struct merge_types *t, const struct source *tsm, bool *fits, struct err *e);

#endif
