/* SPDX-License-Identifier: MIT */
/*
 * The deletions by the tombstones of one TSM file, by key. One thread at a time.
 *
 * Memory: some 70 bytes and the key for each key that has tombstones. It is bounded by reading the
 * deletions of only the least keys, as many as a given memory holds; deletes_reach reads the file again
 * for those after them (keypass.h). Keys that come in their order take one reading for each such part. So
 * that there are not too many of these, a part after the first may take an eighth of what all would take,
 * up to 4 MiB, even if that is more than what was given: some 16 readings up to 32 MiB, and beyond that one
 * for each 2 MiB.
 */
#ifndef INFLUXFS_POINTS_DELETES_H
#define INFLUXFS_POINTS_DELETES_H

#include "store/base/array.h"
#include "store/influx/serieskey.h"
#include "store/influx/source.h"

/* Times of values, both included. */
struct time_range {
    int64_t min, max;
};

/* The deleted ranges of one key: ascending, with gaps between them. */
struct key_deletes {
    struct time_range *list;
    size_t n;
};

struct deletes;

/* Reads a tombstone file (NULL: nothing is deleted), for the keys of a measurement, escaped as in
 * keys; measurement.p NULL: all keys. Errors as tombstone_read. */
int deletes_read(const struct source *s, struct slice measurement, struct deletes **out,
                 struct err *e);

/* The same with at most so many bytes of memory (0: any number), but for what is said above, for callers of deletes_reach. The source
 * and the measurement must outlive the result. */
int deletes_open(const struct source *s, struct slice measurement, size_t memory,
                 struct deletes **out, struct err *e);

/* Before deletes_of of a key, after deletes_open. Errors as there. */
int deletes_reach(struct deletes *d, struct slice key, struct err *e);

void deletes_free(struct deletes *d);
static inline void deletes_freep(struct deletes **d)
{
    deletes_free(*d);
}

/* The deletions of a composite key, valid until the next call; the list is until deletes_reach. NULL:
 * none. */
const struct key_deletes *deletes_of(struct deletes *d, struct slice key);

/* Whether all times from min to max are deleted, and whether any of them is. k may be NULL. */
bool key_deletes_all(const struct key_deletes *k, int64_t min, int64_t max);
bool key_deletes_some(const struct key_deletes *k, int64_t min, int64_t max);

static inline bool time_range_ends_before(const void *range, const void *time)
{
    return ((const struct time_range *)range)->max < *(const int64_t *)time;
}

/* Whether one time is deleted, by such a list. */
static inline bool key_deletes_time(const struct time_range *list, size_t n, int64_t time)
{
    size_t i = array_bisect(list, n, sizeof(*list), &time, time_range_ends_before);
    return i < n && list[i].min <= time;
}

#endif
