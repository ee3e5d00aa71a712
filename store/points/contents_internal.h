/* SPDX-License-Identifier: MIT */
/* The inside of contents: what is known of shards (contents.c), and how it is found
 * (contents_find.c). */
#ifndef INFLUXFS_POINTS_CONTENTS_INTERNAL_H
#define INFLUXFS_POINTS_CONTENTS_INTERNAL_H

#include "store/points/contents.h"

#include <pthread.h>
#include <stdatomic.h>

/* The outline of a shard; shared by the contents of captures between which it did not change. */
struct found {
    atomic_uint refs;
    void *packed;
    size_t n;
    struct days days; /* of all its measurements */
};

/* What is known of a shard. */
struct looked {
    struct found *found;  /* NULL: it has not been looked into, or cannot be */
    int error;            /* -EBADMSG stays; others are tried again */
    char *why;            /* in words */
    struct outline *live; /* livefields.h; NULL: not asked for yet */
};

/* Images take memory: that many are kept. A day has as many shards at most, but for rare policies.
 */
#define IMAGES 24

struct kept_image {
    size_t shard;
    struct image *image; /* NULL: the shard has been asked for once, or has none */
    bool damaged;
};

/* All shards of a database that share an index. */
struct shared {
    const char *db;
    struct outline *outline;
    struct shared *next;
};

struct contents {
    atomic_uint refs;
    struct capture *capture;
    struct catalog *catalog;
    struct shards *shards;
    bool allow_damage;
    char *data;            /* the live store's data folder; NULL: none */
    pthread_mutex_t lock;  /* guards what follows */
    struct looked *looked; /* one for each shard */
    struct shared *shared;
    size_t nimages;
    struct kept_image images[IMAGES]; /* asked for last first */
};

void found_unref(struct found *f); /* NULL is allowed */

/* Looks into all shards [first, end) that are not known. Called with the lock. Errors of a shard
 * are its own; those that are returned end it: -EINTR, -ENOMEM. */
int contents_find(struct contents *c, size_t first, size_t end, const struct tarball_reader *reader,
                  struct err *e);

#endif
