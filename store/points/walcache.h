/* SPDX-License-Identifier: MIT */
/* The replayed WAL of a shard: the values of each key, as in influxd's cache after a start
 * (influxdb tsdb/engine/tsm1/cache.go). Counted by reference; does not change once made, and may be
 * read by any number of threads. Memory: the unpacked WAL. */
#ifndef INFLUXFS_POINTS_WALCACHE_H
#define INFLUXFS_POINTS_WALCACHE_H

#include "store/influx/value.h"
#include "store/points/shards.h"

struct walcache_value {
    int64_t time; /* nanoseconds since 1970 */
    union value value;
    const char *text; /* of a string, where it begins */
};

struct walcache_key {
    struct slice key;           /* composite, as it is stored */
    struct slice series, field; /* its two parts */
    enum value_type type;
    size_t n;
    struct walcache_value *values; /* by time, each time once: the last value written */
};

struct walcache;

/* Replays the segments of *sh, for the keys of one measurement (escaped as in keys; NULL: all).
 * Errors: -EBADMSG, with the file and the cause in *e, for damage and for a field with two types,
 * unless gaps (which may be NULL) allow it; -ENOMEM; as capture_read. */
int walcache_open(const struct capture *c, const struct shard_files *sh,
                  const struct slice *measurement, const struct gaps *gaps, struct walcache **out,
                  struct err *e);
struct walcache *walcache_ref(struct walcache *w);
void walcache_unref(struct walcache *w); /* NULL is allowed */
static inline void walcache_unrefp(struct walcache **w)
{
    walcache_unref(*w);
}

/* The keys, by series and then by field, bytewise. */
size_t walcache_count(const struct walcache *w);
const struct walcache_key *walcache_at(const struct walcache *w, size_t i);

/* The key; NULL: it has no values. */
const struct walcache_key *walcache_find(const struct walcache *w, struct slice key);

/* The next key of a measurement, escaped as in keys; NULL: there are no more. *i is 0 at first. */
const struct walcache_key *walcache_next(const struct walcache *w, struct slice measurement,
                                         size_t *i);

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
