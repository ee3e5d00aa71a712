/* SPDX-License-Identifier: MIT */
/* The inside of the schema cache: storing (schema_cache.c), finding (schema_cache_find.c), queries
 * over many shards (schema_cache_many.c), recently read shards (schema_cache_recent.c). */
#ifndef INFLUXFS_POINTS_SCHEMA_CACHE_INTERNAL_H
#define INFLUXFS_POINTS_SCHEMA_CACHE_INTERNAL_H

#include "store/base/lock.h"
#include "store/points/schema_cache.h"

#include <stdatomic.h>

/* The schema of a shard, shared by the caches of captures while it does not change. */
struct shard_schema {
    atomic_uint refs;
    void *packed;
    size_t n;
    struct days days; /* of all its measurements */
};

/* Known data of a shard. */
struct cached_shard {
    struct shard_schema *schema; /* NULL: not looked for yet, or cannot be found */
    int error;                   /* -EBADMSG stays; other errors are retried */
    char *why;                   /* the message of that error */
    struct schema *live;         /* schema_add_live; NULL: not read yet */
};

/* All shards of a database that share an index. */
struct cached_database {
    const char *db;
    struct schema *schema;
    struct cached_database *next;
};

/* The number of shards whose WALs and keys are kept. A day has fewer, except for rare policies. */
#define RECENT_SHARDS 24

struct recent_shard {
    size_t shard;
    struct walcache *wal;  /* NULL: too large, or let go */
    struct keyindex *keys; /* NULL: the shard was used once, or is damaged */
    bool damaged;
};

struct schema_cache {
    atomic_uint refs;
    struct capture *capture;
    struct catalog *catalog;
    struct shards *shards;
    bool allow_damage;
    char *data;                  /* the live store's data folder; NULL: none */
    pthread_mutex_t lock;        /* guards what follows */
    struct cached_shard *cached; /* one for each shard */
    struct cached_database *databases;
    size_t nrecent;
    struct recent_shard recent[RECENT_SHARDS]; /* most recent first */
};

void shard_schema_unref(struct shard_schema *s); /* NULL is allowed */

static inline int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the contents of the store");
}

/* Takes the lock. Another thread may be reading many shards: -EINTR if the reader interrupts the
 * wait. */
static inline int schema_cache_lock(struct schema_cache *c, const struct tarball_reader *reader,
                                    struct err *e)
{
    int r = lock_unless(&c->lock, reader ? reader->interrupted : NULL, reader ? reader->ctx : NULL);
    return r < 0 ? err_set(e, r, "interrupted") : 0;
}

/* Finds the unknown schemas of shards [first, end). Called with the lock. A shard's error is kept
 * with it; errors returned end the search: -EINTR, -ENOMEM. */
int schema_cache_find(struct schema_cache *c, size_t first, size_t end,
                      const struct tarball_reader *reader, struct err *e);

/* Drops what is kept of recent shards. */
void schema_cache_forget(struct schema_cache *c);

#endif
