/* SPDX-License-Identifier: MIT */
/*
 * A meta.db for shards of which only the folders are known: which database, policy and id they have,
 * and from when to when their points are.
 *
 * Groups hold all points of their shards and do not overlap. Each is as long as the shard duration
 * of its policy says, counted as influxd counts, and shorter where the next shard begins earlier.
 * Shards whose times overlap share a group. What the meta.db knows already stays as it is: a new
 * shard joins a known group that holds all its points; and if its points lie partly in known groups,
 * its group overlaps with these, which influxd takes, too, as after a change of the shard duration.
 */
#ifndef INFLUXFS_REWRITE_REMETA_H
#define INFLUXFS_REWRITE_REMETA_H

#include "store/influx/metaedit.h"

struct remeta_shard {
    const char *db, *rp;
    uint64_t id;
    int64_t min, max; /* of its points, nanoseconds since 1970, both included */
};

/* What is asked for policies that the meta.db does not know. */
struct remeta_rules {
    /* Nanoseconds. How long points are kept; 0: for ever. */
    int64_t (*duration)(void *arg, const char *db, const char *rp);
    /* 0: guessed from the times of the shards: a week, a day or an hour, whichever suits most of
     * them; the longest of these. */
    int64_t (*shard_duration)(void *arg, const char *db, const char *rp);
    /* A line about what was guessed, or about a shard that was left out. */
    void (*say)(void *arg, const char *text, bool left_out);
    void *arg;
};

void remeta_say(const struct remeta_rules *rules, bool left_out, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the shards, none of which the meta.db may know; the list is sorted by it. A shard whose id it
 * has elsewhere is left out. A new database gets as its default the policy autogen, or default, or
 * the one with the latest point. 0, -ENOMEM, or -EINVAL for a name that no folder can have. */
int remeta_add(struct metaedit *m, struct remeta_shard *list, size_t n,
               const struct remeta_rules *rules, struct err *e);

#endif
