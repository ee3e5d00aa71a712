/* SPDX-License-Identifier: MIT */
/*
 * The databases and shards that influxd knows: META/meta.db.
 *
 * The file is one protobuf message without a header (meta.proto; influxdb services/meta/data.go).
 * influxd replaces it by rename, so it is read whole, by io_read_file with META_DB_MAX, and never
 * while half written.
 *
 * A struct meta never changes once made: any thread may read it, and its strings live as long as it
 * does. It keeps only names, shard numbers and counts, no user and no password hash.
 */
#ifndef INFLUXFS_INFLUX_META_H
#define INFLUXFS_INFLUX_META_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Larger files are not read: a hundred thousand shards take about 5 MB. */
#define META_DB_MAX (64 << 20)

enum meta_state {
    META_UNKNOWN, /* not in meta.db: influxd opens such a folder, but it cannot be queried */
    META_LIVE,
    META_DELETED, /* its shard group is marked: influxd will remove the files soon */
};

struct meta;

/* Reads the bytes of a meta.db. The caller releases *out with meta_free. -EBADMSG if it does not
 * parse, lacks a field that influxd requires, or has a database or policy whose name no folder can
 * have; -EFBIG if it exceeds META_DB_MAX; -ENOMEM. */
int meta_parse(const void *buf, size_t len, struct meta **out, struct err *e);

/* The state of the shard DB/RP/ID in meta.db; live if it is listed both live and deleted.
 * Logarithmic in the number of shards. */
enum meta_state meta_shard(const struct meta *m, const char *db, const char *rp, uint64_t id);

/* The shards that are META_LIVE, i below meta_live_shards, by database, policy (both bytewise) and
 * id. A shard may lack a folder: influxd makes it at the first write. */
size_t meta_live_shards(const struct meta *m);
void meta_live_shard_at(const struct meta *m, size_t i, const char **db, const char **rp,
                        uint64_t *id);

/* The i of a live shard; false if it is not one. */
bool meta_live_find(const struct meta *m, const char *db, const char *rp, uint64_t id, size_t *i);

/* The times of its points, nanoseconds since 1970: start <= time < end. */
void meta_live_shard_times(const struct meta *m, size_t i, int64_t *start, int64_t *end);

/* Whether there is this database with this policy; linear in the number of policies. */
bool meta_has_policy(const struct meta *m, const char *db, const char *rp);

/* The databases, _internal included, and the policies of each, in the order of meta.db. A database
 * may have none. */
size_t meta_databases(const struct meta *m);
const char *meta_database(const struct meta *m, size_t i);
bool meta_has_database(const struct meta *m, const char *db); /* linear */
size_t meta_policies(const struct meta *m);
void meta_policy(const struct meta *m, size_t i, const char **db, const char **rp);

/* The rules of a policy. */
struct meta_rules {
    int64_t duration;       /* nanoseconds that they are kept; 0: for ever */
    int64_t shard_duration; /* of new shards */
    uint32_t replicas;
    bool is_default; /* of its database */
};
void meta_policy_rules(const struct meta *m, size_t i, struct meta_rules *out);

/* Numbers of users, subscriptions and queries, which become active once influxd runs. */
struct meta_counts {
    size_t users, subscriptions, queries; /* continuous ones */
};
struct meta_counts meta_counts(const struct meta *m);

/* Whether two meta.db are equal except for one database and the counters that rise with any change.
 * Errors as meta_parse. */
int meta_same_but(const void *a, size_t alen, const void *b, size_t blen, const char *db,
                  bool *same, struct err *e);

void meta_free(struct meta *m);
static inline void meta_freep(struct meta **m)
{
    meta_free(*m);
}

#endif
