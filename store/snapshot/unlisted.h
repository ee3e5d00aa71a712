/* SPDX-License-Identifier: MIT */
/*
 * The shard folders of a store that meta.db does not list, which a capture of a part of the store must
 * know, since influxd keeps shards by id alone: one that has the id of a listed shard has that shard's
 * points. influxd opens all folders when it starts, and makes none for an id that it has. Source:
 * influxd 1.x, Store.loadShards and Store.CreateShard of tsdb/store.go.
 *
 * They are found by the names of databases, policies and shards, of no files, which are read again when
 * meta.db has changed or UNLISTED_LASTS_NS after the last time: what came since is opened by no influxd
 * that runs. Used under the lock of the capture's source.
 */
#ifndef INFLUXFS_SNAPSHOT_UNLISTED_H
#define INFLUXFS_SNAPSHOT_UNLISTED_H

#include "store/base/time.h"
#include "store/snapshot/pinned.h"

#define UNLISTED_LASTS_NS SECOND_NS

struct unlisted {
    struct unlisted_folder {
        char *path; /* DB/RP/ID */
        uint64_t id;
    } * folders;
    size_t n;
    int64_t seen_ns; /* monotonic; 0: they are not known */
};

/* -EIO, naming both, if one has the id of a listed shard of the part. *u is zeroed before its first use.
 * Folders that cannot be read count as empty. -EINTR: p->wait says so; -ENFILE: out of descriptors. */
int unlisted_judge(struct unlisted *u, const struct capture_parts *p, struct err *e);

/* The error: the folder data/PATH has the id of live shard k of meta.db. Returns -EIO. */
int unlisted_shares_id(const struct meta *m, size_t k, const char *path, struct err *e);

void unlisted_forget(struct unlisted *u); /* also frees what it holds */

#endif
