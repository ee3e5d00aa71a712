/* SPDX-License-Identifier: MIT */
/*
 * The replayed WAL of a shard: the values of each key, as in influxd's cache after a start
 * (influxdb tsdb/engine/tsm1/cache.go). Counted by reference; does not change once made, and may be
 * read by any number of threads.
 *
 * Memory: some 70 bytes and the key for a key with one value, and 16 to 32 for each further value. It
 * is bounded by replaying only the least series, as many as the query's memory holds, but one at least;
 * another replay goes on after them (keypass.h). An external sort would read the segments once, but
 * needs room on a disk, and what an entry does (delete, change a field's type) depends on those before
 * it, of which a replay has the order.
 */
#ifndef INFLUXFS_POINTS_WALCACHE_H
#define INFLUXFS_POINTS_WALCACHE_H

#include "store/influx/value.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

struct walcache_value {
    int64_t time; /* nanoseconds since 1970 */
    union value value;
};

/* A key and its values; valid as long as the cache. */
struct walcache_key {
    struct slice key;           /* composite, as it is stored */
    struct slice series, field; /* its two parts */
    enum value_type type;
    size_t n;
    const struct walcache_value *values; /* by time, each time once: the last value written */
    const char *text;                    /* of strings: what value.s.off counts from */
};

/* What to replay. */
struct walcache_query {
    const struct capture *capture;
    const struct shard_files *shard;
    const struct slice *measurement;     /* escaped as in keys; NULL: the keys of all */
    struct slice from;                   /* series before this one are left out; p NULL: none */
    size_t memory;                       /* bytes; 0: any number */
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
};

struct walcache;

/* Replays the segments. Errors: -EBADMSG, with the file and the cause in *e, for damage and for a field
 * with two types, unless the gaps allow it; -EINTR; -ENOMEM; as capture_read. */
int walcache_open(const struct walcache_query *q, struct walcache **out, struct err *e);
struct walcache *walcache_ref(struct walcache *w);
void walcache_unref(struct walcache *w); /* NULL is allowed */
static inline void walcache_unrefp(struct walcache **w)
{
    walcache_unref(*w);
}

/* The series from which another replay goes on; p NULL: all are here. */
struct slice walcache_rest(const struct walcache *w);

/* Bytes that it takes. */
size_t walcache_memory(const struct walcache *w);

/* The keys, by series and then by field, bytewise. */
size_t walcache_count(const struct walcache *w);
struct walcache_key walcache_at(const struct walcache *w, size_t i);

/* The key; false: it has no values here. */
bool walcache_find(const struct walcache *w, struct slice key, struct walcache_key *out);

/* The next key of a measurement, escaped as in keys; false: there are no more. *i is 0 at first. */
bool walcache_next(const struct walcache *w, struct slice measurement, size_t *i,
                   struct walcache_key *out);

/*
 * Deleted points that will come back at influxd's next start.
 *
 * An influxd before 1.8 that was started with data in the WAL may write the data to a TSM file and
 * yet keep the segment. A later delete only makes a tombstone: the points are gone from answers but
 * still in the segment, without a record of the delete. (influxdata/influxdb 14229)
 */
/* Counts the values of a shard's WAL that are covered by a tombstone younger than their segment.
 * Reads nothing unless there is such a segment. Errors as measurement_open. */
int revived_count(const struct capture *c, const struct shard_files *sh, uint64_t *n,
                  struct err *e);

#endif
