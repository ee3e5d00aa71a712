/* SPDX-License-Identifier: MIT */
/* The inside of the cache: what is known of shards (schema_cache.c), and how it is found
 * (schema_cache_find.c). */
#ifndef INFLUXFS_POINTS_SCHEMA_CACHE_INTERNAL_H
#define INFLUXFS_POINTS_SCHEMA_CACHE_INTERNAL_H

#include "store/points/schema_cache.h"

#include <pthread.h>
#include <stdatomic.h>

/* The schema of a shard; shared by the caches of captures between which it did not change. */
struct found {
    atomic_uint refs;
    void *packed;
    size_t n;
    struct days days; /* of all its measurements */
};

/* What is known of a shard. */
struct looked {
    struct found *found; /* NULL: it has not been looked into, or cannot be */
    int error;           /* -EBADMSG stays; others are tried again */
    char *why;           /* in words */
    struct schema *live; /* livefields.h; NULL: not asked for yet */
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
    struct schema *schema;
    struct shared *next;
};

struct schema_cache {
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
int schema_cache_find(struct schema_cache *c, size_t first, size_t end,
                      const struct tarball_reader *reader, struct err *e);

#endif
