/* SPDX-License-Identifier: MIT */
/*
 * The schemas of a capture's shards, each found at its first use.
 *
 * The catalogue remembers a TSM file's schema until the file changes, so its index is read only
 * once; a WAL's schema is found again for each capture. Shards are given by their places in
 * schema_cache_shards(). In memory, schemas are packed.
 *
 * Counted by reference; safe in any thread. Finding schemas can take long: one thread at a time
 * does it, and others wait; a reader (which may be NULL) can interrupt that wait with -EINTR.
 */
#ifndef INFLUXFS_POINTS_SCHEMA_CACHE_H
#define INFLUXFS_POINTS_SCHEMA_CACHE_H

#include "store/points/schema.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

struct schema_cache;

/* Takes a reference to the capture. The catalogue (which may be NULL) must outlive the result.
 * Schemas of unchanged shards are taken over from `before`, the cache of an earlier capture (which
 * may be NULL). Errors as shards_open. */
int schema_cache_open(struct capture *c, struct catalog *k, struct schema_cache *before,
                      struct schema_cache **out, struct err *e);
/* Call first, if at all: schemas of damaged shards then have the readable part. Reading the values
 * reports the missing part (gaps.h). */
void schema_cache_allow_damage(struct schema_cache *c);

/* Call first, if at all: the capture is of a live store with this data folder, whose influxd may
 * know fields without values. 0 or -ENOMEM. */
int schema_cache_live(struct schema_cache *c, const char *data);

struct schema_cache *schema_cache_ref(struct schema_cache *c);
void schema_cache_unref(struct schema_cache *c);      /* NULL is allowed */
bool schema_cache_used(const struct schema_cache *c); /* whether there is more than one reference */
static inline void schema_cache_unrefp(struct schema_cache **c)
{
    schema_cache_unref(*c);
}

struct capture *schema_cache_capture(const struct schema_cache *c);
struct catalog *schema_cache_catalog(const struct schema_cache *c); /* may be NULL */
const struct shards *schema_cache_shards(const struct schema_cache *c);

/* The schema of shard i; the caller frees it. Errors as schema_add_tsm. */
int schema_cache_shard(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                       struct schema **out, struct err *e);

/* The same for one measurement. */
int schema_cache_measurement(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema **out,
                             struct err *e);

/* Adds the fields of a measurement that influxd knows in shard i even without values. influxd's own
 * files, which are not in the capture, are read at the first call. Adds nothing without
 * schema_cache_live. 0, -ENOMEM or -EINTR. */
int schema_cache_live_fields(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema *o, struct err *e);

struct walcache;
struct keyindex;

/* References that speed up opening measurements of shard i: its replayed WAL, unless that is large (those
 * kept take 4 MiB together), and where measurements begin in its TSM files. Both are NULL for a damaged shard and at the first
 * call for a shard, as a single measurement opens faster without them. -EINTR, -ENOMEM, and errors
 * of reading. */
int schema_cache_recent(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                        struct walcache **wal, struct keyindex **keys, struct err *e);

/* One schema of the shards without a tsi1 index of a database; it lives as long as the cache.
 * Damaged shards are left out, as influxd leaves them out. */
int schema_cache_database(struct schema_cache *c, const char *db,
                          const struct tarball_reader *reader, const struct schema **out,
                          struct err *e);

/* One schema of the shards of a policy that may have points with from <= time < to; the caller
 * frees it. *out may be set despite an error: that of an unreadable shard; the schema is then that
 * of the others. */
int schema_cache_policy(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                        int64_t to, const struct tarball_reader *reader, struct schema **out,
                        struct err *e);

/* The days on which these shards have points; the caller clears them. After an error they are those
 * of the readable shards. */
int schema_cache_days(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                      int64_t to, const struct tarball_reader *reader, struct days *out,
                      struct err *e);

#endif
