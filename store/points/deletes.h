/* SPDX-License-Identifier: MIT */
/*
 * What the tombstones of one TSM file delete, by key.
 *
 * Built once, by one thread. Memory: an entry for each key that has tombstones.
 */
#ifndef INFLUXFS_POINTS_DELETES_H
#define INFLUXFS_POINTS_DELETES_H

#include "store/base/bisect.h"
#include "store/influx/serieskey.h"
#include "store/influx/source.h"

/* Times of values, both included. */
struct time_range {
    int64_t min, max;
};

/* Deletes of one key: ascending, apart from each other. */
struct key_deletes {
    struct time_range *list;
    size_t n;
};

struct deletes;

/* Of the keys that belong to a measurement, escaped as in keys; of all if measurement.p is NULL.
 * The source may be NULL: nothing is deleted. Errors as tombstone_read. */
int deletes_read(const struct source *s, struct slice measurement, struct deletes **out,
                 struct err *e);
void deletes_free(struct deletes *d);
static inline void deletes_freep(struct deletes **d)
{
    deletes_free(*d);
}

/* What is deleted of a composite key; NULL: nothing. The list may be taken over (list NULL, n 0). */
struct key_deletes *deletes_of(const struct deletes *d, struct slice key);

/* Whether all times from min to max are deleted, and whether any of them may be. */
bool key_deletes_all(const struct key_deletes *k, int64_t min, int64_t max);
bool key_deletes_some(const struct key_deletes *k, int64_t min, int64_t max);

static inline bool time_range_ends_before(const void *range, const void *time)
{
    return ((const struct time_range *)range)->max < *(const int64_t *)time;
}

/* Whether a time is. */
static inline bool key_deletes_time(const struct time_range *list, size_t n, int64_t time)
{
    size_t i = bisect(list, n, sizeof(*list), &time, time_range_ends_before);
    return i < n && list[i].min <= time;
}

#endif
