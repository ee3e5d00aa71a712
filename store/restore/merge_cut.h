/* SPDX-License-Identifier: MIT */
/*
 * Points of exact times in the place of the store's: which points of the store's shards stay.
 *
 * Replaced are the times that are asked for, as far as the snapshot has shards of them; a shard of
 * the store that has such times becomes one of its own points of other times (kept steps), and of
 * the snapshot's (steps of merge_plan.h, cut to the times).
 */
#ifndef INFLUXFS_RESTORE_MERGE_CUT_H
#define INFLUXFS_RESTORE_MERGE_CUT_H

#include "store/restore/merge_plan.h"

/* Adds the kept steps, whose range keeps nothing where its end is before its start, to *p, for each shard that `our_db` has now; before merge_plan_database.
 * -ENOMEM, with a message. */
int merge_cut_plan(const struct metaedit *here, const struct metaedit_item *our_db,
                   const struct metaedit *there, const struct metaedit_item *their_db,
                   const struct selection *what, struct merge_plan *p, struct err *e);

/* Whether all times of the snapshot's shard are asked for. */
bool merge_cut_nothing(const struct metaedit *there, const struct metaedit_item *their_db,
                       const char *rp, uint64_t shard, const struct selection *what);

/* The times that are asked for, both included. */
static inline struct time_range merge_cut_range(const struct selection *what)
{
    return (struct time_range){what->from, what->to == INT64_MAX ? INT64_MAX : what->to - 1};
}

/* The part of a range within the times that are asked for; it may be empty. */
static inline struct time_range merge_cut(struct time_range range, const struct selection *what)
{
    const struct time_range asked = merge_cut_range(what);
    return (struct time_range){range.min > asked.min ? range.min : asked.min,
                               range.max < asked.max ? range.max : asked.max};
}

#endif
