/* SPDX-License-Identifier: MIT */
/* A capture of the live store, which holds its files open. capture_source.c decides when and where
 * it is made, capture_choose.c its contents; capture_build.c makes it. */
#ifndef INFLUXFS_SNAPSHOT_PINNED_H
#define INFLUXFS_SNAPSHOT_PINNED_H

#include "store/influx/meta.h"
#include "store/snapshot/capture_impl.h"
#include "store/snapshot/window.h"

struct unlisted;

struct pinned {
    struct capture c; /* in runs, the first of which is that of meta/ */
    struct omissions omissions;
    char **own_links;
    uint8_t digest[SHA256_BYTES]; /* of everything that makes the tar's bytes */
    struct window window;         /* to detect changes quickly; used under the source's lock */
    struct catalog *catalog;
    atomic_bool sums_to_keep; /* the catalogue lacks some sums */
};

/* Which member is meta/meta.db. */
#define PINNED_META 1

/* What a capture is built from. */
struct capture_parts {
    struct window window;
    const struct meta *meta; /* its maker's */
    struct held *meta_held;
    struct file_attr meta_attr, meta_folder;
    int data_fd, wal_fd;            /* the folders; wal_fd may be -1 */
    const struct window_part *part; /* of which the window is; NULL: of all */
    struct unlisted *unlisted;      /* where there is a part: what its maker knows of them */
    bool allow_left_out;            /* more than what is kept */
    const struct window_wait *wait; /* asked while the WAL is read; NULL: no interruption */
};

/* An empty one; NULL when out of memory. The catalogue, which keeps its sums, must outlive it. */
struct pinned *pinned_new(struct catalog *catalog);

/* Gives the capture its record, and the files their indexes and sums, as far as the catalogue knows
 * them (pinned_catalog.c). earlier: a settled capture of the same store, or NULL. */
int pinned_settle(struct pinned *p, const struct pinned *earlier, const char *host, struct err *e);

/* The same for a capture of a part, with a record of its own, by a key of what is selected. */
int pinned_settle_part(struct pinned *p, const uint8_t key[SHA256_BYTES], const char *host,
                       struct err *e);

/* The same for a capture of which other captures have the rest, but without a record. */
int pinned_prepare(struct pinned *p, struct err *e);

/* As capture_keep_sums. */
int pinned_keep_sums(struct capture *c, struct err *e);

void capture_parts_clear(struct capture_parts *p);

/* As -EIO, when influxd may be dropping a shard: it removes the data before the WAL, and updates
 * the metastore last. Retry until the deadline. */
#define CAPTURE_DROPPING (-EUCLEAN)

/* Chooses the shards of the window for the snapshot, and the omissions. -EIO: data that influxd
 * serves would be missing, or mixed with unlisted data. */
int capture_choose(const struct capture_parts *p, bool *chosen, struct omissions *left_out,
                   struct err *e);
/* -EIO: the capture leaves out more bytes than it holds, unless that is allowed. */
int capture_proportion(const struct capture *c, bool allowed, struct err *e);

/* Builds the members and the digest, and takes what it needs from *p. The record is not set yet.
 * -EIO if a store that is not empty would appear empty. */
int capture_build(struct capture_parts *p, struct catalog *catalog, struct pinned **out,
                  struct err *e);

#endif
