/* SPDX-License-Identifier: MIT */
/* The shards in a capture: the members and the times of each. Built once from the list of members
 * and meta.db, then only read. Members are numbers of the capture, which must outlive this. */
#ifndef INFLUXFS_POINTS_SHARDS_H
#define INFLUXFS_POINTS_SHARDS_H

#include "store/influx/meta.h"
#include "store/influx/value.h"
#include "store/points/gaps.h"
#include "store/snapshot/capture.h"

#define MEMBER_NONE SIZE_MAX

struct shard_tsm {
    size_t tsm, tombstone; /* members; tombstone may be MEMBER_NONE */
};

struct shard_files {
    const char *db, *rp; /* as long as the list */
    uint64_t id;
    int64_t start, end; /* of its points, as meta.db says: start <= time < end */
    bool tsi1;          /* it has an index of its own; else it shares the database's */
    size_t ntsm, nwal;
    struct shard_tsm *tsm; /* the oldest first: the value of a later file counts */
    size_t *wal;           /* members, in the order of replay */
};

struct shards;

/* Lists the shards that influxd would read, by database, policy, and then in influxd's order: by
 * end, start and id. -EBADMSG: meta.db is damaged; -ENOENT: there is none; -EINVAL: the capture is
 * incremental; -ENOMEM; as capture_read. */
int shards_open(const struct capture *c, struct shards **out, struct err *e);
void shards_free(struct shards *s);
static inline void shards_freep(struct shards **s)
{
    shards_free(*s);
}

/* The capture's meta.db; lives as long as the list. */
const struct meta *shards_meta(const struct shards *s);
size_t shards_meta_member(const struct shards *s); /* of meta.db */

/* The order of the list; 0: the same shard, maybe of two lists. */
int shards_compare(const struct shard_files *a, const struct shard_files *b);

size_t shards_count(const struct shards *s);
const struct shard_files *shards_at(const struct shards *s, size_t i);

/* The shards [*first, *end) of a database, and of one policy unless rp is NULL. */
void shards_span(const struct shards *s, const char *db, const char *rp, size_t *first,
                 size_t *end);

/* The shards of a policy that may have points with from <= time < to, in influxd's reading order;
 * the caller frees the list. -ENOENT, with the names in *e: no such database or policy; -ENOMEM. */
int shards_range(const struct shards *s, const char *db, const char *rp, int64_t from, int64_t to,
                 size_t **out, size_t *n, struct err *e);

/* Adds to h what tells one state of a shard from another: its id, times, files and their
 * identities. */
void shards_digest(const struct capture *c, const struct shard_files *sh, struct sha256 *h);

/* -EBADMSG for a field's key (serieskey.h) without a field, or whose type differs elsewhere in its
 * shard (NULL: not there). file: where the key is, for the message. */
int shards_check_field(struct slice key, const char *file, enum value_type type,
                       const enum value_type *elsewhere, struct err *e);

/* As gaps_damage, for damage of a TSM file or WAL segment of a shard: the unreadable part of the
 * file is left out. */
int shards_leave_file(const struct capture *c, const struct shard_files *sh, size_t member,
                      const struct gaps *g, int code, struct err *e);

#endif
