/* SPDX-License-Identifier: MIT */
/* Shared by loose.c and loose_times.c. */
#ifndef INFLUXFS_SNAPSHOT_LOOSE_INTERNAL_H
#define INFLUXFS_SNAPSHOT_LOOSE_INTERNAL_H

#include "store/base/arena.h"
#include "store/snapshot/capture_impl.h"
#include "store/snapshot/loose.h"

struct loose_file {
    struct member m;
    const char *path;
};

struct loose_files {
    struct loose_file *list;
    size_t n;
};

struct loose_part { /* of a shard: a run of files in data, and in wal */
    const char *db, *rp;
    uint64_t id;
    bool has_data;
    size_t data, ndata, wal, nwal;
    uint64_t bytes;
};

struct loose {
    struct capture c; /* the first member, so that it is one */
    struct arena arena;
    struct loose_part *parts;
    size_t nparts;
    struct loose_files data, wal;    /* in the order of the shards */
    const struct loose_file **files; /* of each member; NULL: meta.db */
    void *meta;
    struct omissions left_out;
};

/* Reads n bytes at off of what the member holds of the file. */
int loose_read(const struct loose_file *f, int fd, void *buf, size_t n, uint64_t off,
               struct err *e);

#endif
