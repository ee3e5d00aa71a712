/* SPDX-License-Identifier: MIT */
/*
 * Which shard of a snapshot goes into which shard of the store, when a database is merged into one
 * that is there. Groups and shards that are missing are added to the store's meta.db.
 *
 *   a policy is missing        it is added with its rules, and its shards lie as they are
 *   a group has the same times shard by shard, by file (merge_shard.h)
 *   no group overlaps, and     the group is added, and its shards lie as they are
 *   they are the policy's
 *   else                       each point goes into the group of its time, which is made as influxd
 *                              would for it (metaedit_group_for)
 *
 * The store's rules stay: policies' durations, default policies, continuous queries, subscriptions.
 * Where the snapshot has others, that is told. A group without points is not added.
 */
#ifndef INFLUXFS_RESTORE_MERGE_PLAN_H
#define INFLUXFS_RESTORE_MERGE_PLAN_H

#include "store/restore/merge_notes.h"
#include "store/rewrite/merge_shard.h"
#include "store/rewrite/merge_times.h"

enum merge_how {
    MERGE_AS_IT_LIES, /* the shard here is new, and takes all files of the shard there */
    MERGE_BY_FILE,    /* the shard here has the same times, or comes to have them */
    MERGE_BY_POINT,   /* of the shard there, what belongs here is written anew */
};

struct merge_step {
    enum merge_how how;
    const char *rp;          /* here and there; as long as the meta.db there */
    uint64_t there, here;    /* ids of shards */
    struct time_range range; /* of the points that belong here, both included */
    uint64_t n, i;           /* by series, as in merge_shard.h */
    bool kept;               /* points of the shard here itself, which is cut; there: of no use */
};

struct merge_plan {
    struct merge_step *steps; /* by shard there, then by time */
    size_t nsteps;
    size_t counts[3]; /* shards there, by enum merge_how; one that goes into several counts once */
    struct merge_notes notes;
};

/* What is known of the snapshot's shards. Errors: -errno with a message. */
struct merge_shards {
    /* 1: the shard has files; 0: it has none, and is passed over. */
    int (*holds)(void *ctx, uint64_t shard, struct err *e);
    /* The times of its points, as merge_times. */
    int (*times)(void *ctx, uint64_t shard, merge_times_fn *fn, void *fn_ctx, struct err *e);
    void *ctx;
};

/* Adds the steps and notes of one database to *p, and what is missing to `here`. their_db may have
 * another name than our_db. what: of what is there. Errors: those of metaedit.h and of the functions;
 * *p is to be cleared even then. */
int merge_plan_database(struct metaedit *here, const struct metaedit_item *our_db,
                        const struct metaedit *there, const struct metaedit_item *their_db,
                        const struct selection *what, const struct merge_shards *shards,
                        struct merge_plan *p, struct err *e);

void merge_plan_clear(struct merge_plan *p);

#endif
