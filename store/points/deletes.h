/* SPDX-License-Identifier: MIT */
/* The deletions by the tombstones of one TSM file, by key. Built once, by one thread. Memory: an
 * entry for each key that has tombstones. */
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
void deletes_free(struct deletes *d);
static inline void deletes_freep(struct deletes **d)
{
    deletes_free(*d);
}

/* The deletions of a composite key; NULL: none. The caller may take over the list by zeroing the
 * struct. */
struct key_deletes *deletes_of(const struct deletes *d, struct slice key);

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
