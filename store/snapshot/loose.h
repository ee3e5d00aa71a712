/* SPDX-License-Identifier: MIT */
/*
 * Loose files as a capture: shards that lie anywhere, of which no meta.db knows. The caller says
 * which database, policy and id a shard is to have, and makes the meta.db by what loose_times finds.
 *
 * Files are opened when they are read, so there may be any number of them; links are followed. Nobody
 * may write to them meanwhile. Not for use by several threads before it is a capture.
 */
#ifndef INFLUXFS_SNAPSHOT_LOOSE_H
#define INFLUXFS_SNAPSHOT_LOOSE_H

#include "store/snapshot/capture.h"

struct loose;

struct loose_shard {
    const char *db, *rp; /* as long as the list */
    uint64_t id;
    size_t ndata, nwal; /* files: TSM files and tombstones; segments */
    uint64_t bytes;     /* in them */
    bool has_data;      /* it has a folder or files of data, not only of WAL */
};

/* NULL: out of memory. */
struct loose *loose_new(void);
void loose_free(struct loose *l); /* NULL is allowed */
static inline void loose_freep(struct loose **l)
{
    loose_free(*l);
}

/* A new shard, to which files are added until the next one. 0 or -ENOMEM. */
int loose_begin(struct loose *l, const char *db, const char *rp, uint64_t id);

/* The files of a folder that influxd would read as a shard's data, or as its WAL; one file under the
 * name that it is to have. Errors, with the path in e, from the system; -ENODATA: it shrinks. */
int loose_add_folder(struct loose *l, const char *path, bool wal, struct err *e);
int loose_add_file(struct loose *l, const char *path, const char *name, bool wal, struct err *e);

size_t loose_count(const struct loose *l);
struct loose_shard loose_at(const struct loose *l, size_t i);

/* The first and the last time of all points that shard i may hold, nanoseconds since 1970, both
 * included, by the indexes of its TSM files and by its WAL. 1: found; 0: it holds no point. What is
 * damaged is passed to `say` with what is wrong, and the rest counts. -EINTR: stop(arg) said so. */
struct loose_reader {
    void (*say)(void *arg, const char *text);
    bool (*stop)(void *arg);
    void *arg;
};
int loose_times(const struct loose *l, size_t i, const struct loose_reader *reader, int64_t *min,
                int64_t *max, struct err *e);

/* Makes a capture of it, with this meta.db, which is taken over as is *l, also on failure. */
int loose_capture(struct loose **l, void *meta, size_t n, struct capture **out);

#endif
