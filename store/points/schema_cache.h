/* SPDX-License-Identifier: MIT */
/*
 * What a capture contains: its shards, and the schema of each, found when it is asked for.
 *
 * Schemas of TSM files are remembered in the catalogue until the files change, so that they are
 * read once in their life; those of the WAL are found again for each capture. In memory a shard's
 * schema is kept packed.
 *
 * Counted by reference; safe in any thread. Finding schemas can take long: one thread does it at a
 * time, and the others wait.
 */
#ifndef INFLUXFS_POINTS_SCHEMA_CACHE_H
#define INFLUXFS_POINTS_SCHEMA_CACHE_H

#include "store/points/schema.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

struct schema_cache;

/* Takes a reference to the capture. k, which may be NULL, must outlive the result. What has been
 * found of shards that have not changed since another capture is taken over from before, unless
 * that is NULL. Errors as shards_open. */
int schema_cache_open(struct capture *c, struct catalog *k, struct schema_cache *before,
                      struct schema_cache **out, struct err *e);
/* Before anything is asked of it: shards that are damaged are shown as far as they can be read. Who
 * reads the values says what is lacking (gaps.h). */
void schema_cache_allow_damage(struct schema_cache *c);

/* Before anything is asked of it: the capture is of the store that has this data folder and may be
 * in use, so that its influxd may know fields without values. 0 or -ENOMEM. */
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

/* The schema of shard i; the caller frees it. reader may interrupt (-EINTR), and be NULL. Errors
 * as schema_add_tsm. */
int schema_cache_shard(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                       struct schema **out, struct err *e);

/* The same, but of one measurement alone. */
int schema_cache_measurement(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema **out,
                             struct err *e);

/* Adds the fields of a measurement that influxd knows in shard i, whether or not they have values,
 * as its files said when that was asked of *c first: they are no part of the capture. Nothing
 * without schema_cache_live. 0 or -ENOMEM, with words. */
int schema_cache_live_fields(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema *o, struct err *e);

struct walcache;
struct keyindex;

/* What is known of all of shard i, as references: its WAL replayed, unless that is large, and where
 * measurements begin in its TSM files. Both are NULL the first time that it is asked for, as one
 * measurement is opened sooner without, and if the shard is damaged. */
int schema_cache_recent(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                        struct walcache **wal, struct keyindex **keys, struct err *e);

/* All shards without a tsi1 index of a database, as one schema, which is as long as c. Shards that
 * are damaged are left out, as influxd does. */
int schema_cache_database(struct schema_cache *c, const char *db,
                          const struct tarball_reader *reader, const struct schema **out,
                          struct err *e);

/* The schema of the shards of a policy that may have points with from <= time < to, which the
 * caller frees. An error that comes with one is that of a shard that cannot be read: it is the
 * schema of the others. */
int schema_cache_policy(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                        int64_t to, const struct tarball_reader *reader, struct schema **out,
                        struct err *e);

/* The days on which these shards have points, which the caller clears; likewise those of the shards
 * that can be read, if there is an error. */
int schema_cache_days(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                      int64_t to, const struct tarball_reader *reader, struct days *out,
                      struct err *e);

#endif
