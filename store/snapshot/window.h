/* SPDX-License-Identifier: MIT */
/*
 * The window rule: how the files of a running influxd are caught in a state that a kill -9 could
 * have left, without its help.
 *
 * A shard's TSM files, tombstones and WAL segments are listed and opened; the WAL cut is the size of
 * each segment, by one fstat; then the folders are listed again. If the set of TSM files and
 * tombstones is the same (name, inode, size, mtime) and no opened WAL segment has vanished, the
 * set was constant across the WAL cut, and everything acknowledged before that is in it. Otherwise
 * the shard is done again. A folder whose modification time is the same, and is older than a tick
 * of the clock, counts as listed again. Names are never used again within one run of influxd, and
 * held files keep their inode, so equal listings mean an unchanged set. Source: influxd 1.x writes
 * TSM and tombstones by rename and flushes a WAL entry before it acknowledges it.
 *
 * A shard's folder may be a symbolic link, which influxd follows, as it does anywhere in the WAL;
 * so does the window, and a link that is changed meanwhile is a change of the shard. Folders and
 * shards that cannot be read do not fail a window: only meta.db tells whether they matter.
 *
 * A window is used by one thread, and may ask `wait` in several that it begins; its results are plain
 * data.
 */
#ifndef INFLUXFS_SNAPSHOT_WINDOW_H
#define INFLUXFS_SNAPSHOT_WINDOW_H

#include "store/snapshot/shard_pin.h"

/* A folder above the shards: "" (the data or WAL folder itself), "DB" or "DB/RP". */
struct window_parent {
    char *path;
    bool in_wal;
    struct folder_seen folder;
};

/* A folder above the shards that may not be read: nothing below it is in the window. */
struct window_closed {
    char *path;
    bool in_wal;
    int code; /* why: -EACCES, … */
};

struct window {
    struct shard_pin
        *shards; /* in the order of a sorted walk; those that have `why` hold nothing */
    size_t nshards;
    struct window_closed *closed;
    size_t nclosed;
    struct window_parent *parents; /* in the order of that walk, data first */
    size_t nparents;
    struct watches *watches; /* of the table of held files */
    int64_t skew_ns;         /* from the first listing to the last WAL cut; 0: one true instant */
};

/* Stops a wait: returns true when the user has gone away. May be NULL. */
struct window_wait {
    int64_t deadline_ns; /* monotonic */
    bool (*interrupted)(void *ctx);
    void *ctx;
};

static inline bool window_interrupted(const struct window_wait *wait)
{
    return wait->interrupted && wait->interrupted(wait->ctx);
}

/* Which part of a store a window is of. has: whether it has the folder "DB", the policy "DB/RP" or the
 * shard "DB/RP/ID"; what is in a folder that it does not have is not looked at. */
struct window_part {
    bool (*has)(void *ctx, const char *path);
    void *ctx;
};

static inline bool window_part_has(const struct window_part *part, const char *path)
{
    return !part || part->has(part->ctx, path);
}

/* Catches all shards of the store whose data and WAL folders are open at data_fd and wal_fd. wal_fd
 * may be -1: influxd makes the WAL folder with the first shard, so a store with shards but no WAL
 * folder is -EIO. before is an earlier window of the same store, or NULL: shards with unchanged
 * folders need not be listed again. -EAGAIN when the store did not settle before the deadline,
 * -EINTR when interrupted, -ENFILE when out of descriptors. On success the caller releases *out
 * with window_free. */
int window_take(struct held_table *t, int data_fd, int wal_fd, const struct window *before,
                const struct window_wait *wait, struct window *out, struct err *e);

/* The same for a part; NULL: all. before may be of another part, or of all. */
int window_take_part(struct held_table *t, int data_fd, int wal_fd, const struct window_part *part,
                     const struct window *before, const struct window_wait *wait,
                     struct window *out, struct err *e);

/* 0 if nothing has changed since the window was taken, by folder times, attributes of the held
 * files, and segment sizes; -ESTALE if something has, or if unsure. */
int window_unchanged(const struct window *w, int data_fd, int wal_fd);

void window_free(struct window *w);

#endif
