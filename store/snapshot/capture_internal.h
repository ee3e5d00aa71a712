/* SPDX-License-Identifier: MIT */
/* What a capture is made of: shared by capture.c (what it answers), capture_build.c (how a window
 * and a metastore become the members of a snapshot) and source.c (when, and from where). */
#ifndef INFLUXFS_SNAPSHOT_CAPTURE_INTERNAL_H
#define INFLUXFS_SNAPSHOT_CAPTURE_INTERNAL_H

#include "store/influx/meta.h"
#include "store/snapshot/capture.h"

#include <pthread.h>
#include <stdatomic.h>

struct capture {
    atomic_uint refs;
    struct member *members;
    size_t n;
    size_t meta;    /* which member is meta/meta.db */
    char **strings; /* memory that members and left_out point into */
    size_t nstrings;
    struct capture_set { /* what members of data are held by, */
        struct shard_set *set;
        size_t first; /* the first of them */
    } * sets;
    size_t nsets;
    struct held **holds; /* and the others */
    size_t nholds;
    const char **left_out;
    size_t nleft_out;
    uint8_t digest[SHA256_BYTES]; /* of everything that makes the tar's bytes */
    struct catalog_record record;
    struct window window; /* to tell quickly what changed since; used under the source's lock */
    pthread_mutex_t lock; /* guards the sums of cuts, and: */
    bool sums_to_keep;    /* the catalogue does not have all of them */
};

/* What a capture is built from. */
struct capture_parts {
    struct window window;
    struct meta *meta;
    struct held *meta_held;
    struct file_attr meta_attr, meta_folder;
    const struct capture *earlier; /* of the same store, or NULL: what it knows need not be asked */
};

/* As capture_set_sum, for a sum that the catalogue has. */
void capture_know_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES]);

void capture_parts_clear(struct capture_parts *p);

/* Builds the members and the digest; takes what it needs out of *p. The record is not set yet.
 * -EIO for a store that would come out empty though it is not. */
int capture_build(struct capture_parts *p, struct capture **out, struct err *e);

#endif
