/* SPDX-License-Identifier: MIT */
/*
 * The metastore in a set: the bytes of a meta.db, wrapped.
 *
 *   meta.NN      u64 0x59590101 | u64 n | n bytes of it | u64 m | m bytes of node.json
 *                (big-endian; services/snapshotter)
 *   TIME.meta    protobuf {1: its bytes, 2: MaxNodeID} (cmd/influxd/backup_util); the bytes
 *                themselves where they are as many as the manifest says
 *
 * Pure, on untrusted bytes. The result lies within the input.
 */
#ifndef INFLUXFS_SETS_SET_META_H
#define INFLUXFS_SETS_SET_META_H

#include "store/base/err.h"
#include "store/influx/bytes.h"

/* -EBADMSG, with a message. */
int set_meta_legacy(struct bytes file, struct bytes *out, struct err *e);
int set_meta_portable(struct bytes file, uint64_t size, struct bytes *out, struct err *e);

/* The cluster's number in a meta.db: no two servers have the same; 0: none. */
uint64_t set_meta_cluster(struct bytes meta);

#endif
