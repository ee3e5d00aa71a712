/* SPDX-License-Identifier: MIT */
/*
 * A capture of the live store: it holds the files open that it is made of. capture_source.c says
 * when and from where it is made, capture_choose.c of what, capture_build.c makes it.
 */
#ifndef INFLUXFS_SNAPSHOT_PINNED_H
#define INFLUXFS_SNAPSHOT_PINNED_H

#include "store/influx/meta.h"
#include "store/snapshot/capture_impl.h"
#include "store/snapshot/window.h"

#include <pthread.h>

struct pinned {
    struct capture c;
    size_t meta;    /* which member is meta/meta.db */
    char **strings; /* memory that members and links point into */
    size_t nstrings;
    struct capture_set { /* what members of data are held by, */
        struct shard_set *set;
        size_t first; /* the first of them */
    } * sets;
    size_t nsets;
    struct omissions omissions;
    const char **own_links;
    struct held **holds; /* and the others */
    size_t nholds;
    uint8_t digest[SHA256_BYTES]; /* of everything that makes the tar's bytes */
    struct window window; /* to tell quickly what changed since; used under the source's lock */
    struct catalog *catalog;
    pthread_mutex_t lock;     /* guards the sums of WAL cuts */
    atomic_bool sums_to_keep; /* the catalogue does not have all sums */
};

/* What a capture is built from. */
struct capture_parts {
    struct window window;
    struct meta *meta;
    struct held *meta_held;
    struct file_attr meta_attr, meta_folder;
    int data_fd, wal_fd;            /* the folders; wal_fd may be -1 */
    bool allow_left_out;            /* more than what is kept */
    const struct window_wait *wait; /* asked while the WAL is read; NULL: it is not interrupted */
    const struct pinned *earlier; /* of the same store, or NULL: what it knows need not be asked */
};

/* An empty one; NULL when out of memory. The catalogue, which keeps its sums, must outlive it. */
struct pinned *pinned_new(struct catalog *catalog);

/* As capture_set_sum, for a sum that the catalogue has. */
void pinned_know_sum(struct pinned *p, size_t i, const uint8_t sum[SHA256_BYTES]);

/* How the catalogue sees it (catalog_settle, catalog_put_sums). */
struct catalog_files pinned_files(struct pinned *p);

void capture_parts_clear(struct capture_parts *p);

/* As -EIO, where influxd may be at work: it removes a shard's data before its WAL, and tells the
 * metastore last. To be tried again for as long as there is time. */
#define CAPTURE_DROPPING (-EUCLEAN)

/* Which shards of the window go into the snapshot, and what is left out. -EIO: something that
 * influxd serves would be missing, or would be mixed up with what it does not list. */
int capture_choose(const struct capture_parts *p, bool *chosen, struct omissions *left_out,
                   struct err *e);
/* -EIO: more bytes are left out than are in it, unless that is allowed. */
int capture_proportion(const struct capture *c, bool allowed, struct err *e);

/* Builds the members and the digest; takes what it needs out of *p. The record is not set yet.
 * -EIO for a store that would come out empty though it is not. */
int capture_build(struct capture_parts *p, struct catalog *catalog, struct pinned **out,
                  struct err *e);

#endif
