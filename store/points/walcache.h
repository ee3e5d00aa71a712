/* SPDX-License-Identifier: MIT */
/*
 * The replayed WAL of a shard: the values of each key, as in influxd's cache after a start
 * (influxdb tsdb/engine/tsm1/cache.go). Counted by reference; does not change once made, and may be
 * read by any number of threads.
 *
 * Memory: some 70 bytes and the key for a key with one value, and 16 to 32 for each further value. It
 * is bounded by replaying only the least series, as many as the query's memory holds, but one at least;
 * another replay goes on after them (keypass.h), in the segments or in what walranges.h put down of them.
 * So each key sees its records in their order: what one does (delete, change a field's type) depends on
 * those before it, and a sort by time would lose that.
 */
#ifndef INFLUXFS_POINTS_WALCACHE_H
#define INFLUXFS_POINTS_WALCACHE_H

#include "store/points/walranges.h"

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

struct walcache_query {
    struct walreplay_query of;
    size_t memory;           /* bytes; 0: any number */
    struct walranges *parts; /* the same records, put down; NULL: the segments are read */
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

/* Bytes that it takes, and that others, from its first series on, would take beside it, about. */
size_t walcache_memory(const struct walcache *w);
size_t walcache_left(const struct walcache *w);
/* The same of all records that were replayed, of whatever measurement. */
size_t walcache_replayed(const struct walcache *w);

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
