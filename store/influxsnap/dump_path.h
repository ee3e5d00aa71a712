/* SPDX-License-Identifier: MIT */
/* influxsnap dump --path: points of files that lie anywhere, without a meta.db. */
#ifndef INFLUXFS_INFLUXSNAP_DUMP_PATH_H
#define INFLUXFS_INFLUXSNAP_DUMP_PATH_H

#include "store/influxsnap/dump_advice.h"
#include "store/snapshot/capture.h"

/* A capture of a TSM file with the tombstone beside it, of a WAL segment, or of the folder of a
 * shard, a policy, a database, or of all databases. Names and ids are those of the folders above,
 * or made up; the WAL of a shard comes along if the path is DATA/DB/RP/ID and WAL/DB/RP/ID lies
 * beside it, data and wal being the names of the two. What was guessed is said, and what is left
 * out by told_lacks. -ENOENT: no shard is there, or no point. */
int dump_path_open(const char *path, struct told *told, struct capture **out, struct err *e);

#endif
