/* SPDX-License-Identifier: MIT */
/*
 * A part of a store: some databases, of these a policy, of it some shards or those of a range of
 * times. What is selected meets all conditions. Borrows its names and numbers, unless it is a copy;
 * pure.
 */
#ifndef INFLUXFS_INFLUX_SELECTION_H
#define INFLUXFS_INFLUX_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct selection {
    const char *const *databases; /* these alone; none: all, */
    size_t ndatabases;
    const char *const *exclude; /* but for these */
    size_t nexclude;
    const char *rp;         /* this policy alone; NULL: all */
    const uint64_t *shards; /* these ids alone; none: all */
    size_t nshards;
    int64_t from,
        to;     /* nanoseconds since 1970: whole shards that may have points at from <= time < to */
    bool exact; /* and of these shards only the points at these times */
};

/* The whole store. */
#define SELECTION_ALL                                                                              \
    {                                                                                              \
        .from = INT64_MIN, .to = INT64_MAX                                                         \
    }

bool selection_is_all(const struct selection *s);
/* Whether databases are selected whole, if at all. */
bool selection_of_databases(const struct selection *s);

bool selection_has_database(const struct selection *s, const char *db);
bool selection_has_policy(const struct selection *s, const char *db, const char *rp);
/* start and end are those of its group: start <= time < end. */
bool selection_has_shard(const struct selection *s, const char *db, const char *rp, uint64_t id,
                         int64_t start, int64_t end);

/* One that owns all it has, in one order: names and ids sorted, each once. Released by
 * selection_free. -ENOMEM. */
int selection_copy(const struct selection *s, struct selection **out);
void selection_free(struct selection *s); /* NULL is allowed */
static inline void selection_freep(struct selection **s)
{
    selection_free(*s);
}

/* Whether two copies are the same in every condition. NULL: the whole store. */
bool selection_same(const struct selection *a, const struct selection *b);

#endif
