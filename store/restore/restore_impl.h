/* SPDX-License-Identifier: MIT */
/* The inside of the room, for restore.c (its life), room.c (who is at work in it) and numbers.c
 * (incremental snapshots); others use restore.h or room.h. */
#ifndef INFLUXFS_RESTORE_RESTORE_IMPL_H
#define INFLUXFS_RESTORE_RESTORE_IMPL_H

#include "store/restore/advice.h"
#include "store/restore/install.h"
#include "store/restore/job.h"
#include "store/restore/progress.h"
#include "store/restore/record.h"
#include "store/restore/restore.h"
#include "store/restore/room.h"

#include <pthread.h>

/* Numbers that told the store nothing new, and those after them: a base.tar that comes behind them
 * in the same copy must lead to where they led, and not back to the base. */
struct aside {
    struct incoming **at;
    bool *old; /* the store held it or a later one when it came */
    size_t n;
    int64_t used_ns;    /* monotonic */
    unsigned receiving; /* numbers that are still being received */
};

struct restore {
    struct store_paths paths;
    struct restore_options options; /* paths and state_fd are not used from here */
    int log;
    int state;                    /* the state folder, or -1 */
    struct record *record;        /* the owner's */
    struct restore_advice advice; /* of the last restore; likewise */

    pthread_mutex_t lock;    /* what follows; held for moments only */
    pthread_cond_t freed;    /* nobody has the staging folders */
    const void *owner;       /* the drop that has them, or is about to */
    bool at_mercy;           /* of its writer is the owner: there is no telling when it will end */
    bool probing;            /* somebody asks whether a restore could begin, and has the lock */
    bool owed;               /* a number was kept because somebody else had the room */
    struct targets *targets; /* the owner's; used by that drop's threads without the lock */
    struct manifest *full;   /* of its snapshot */
    bool probed, inside[TARGETS]; /* how the folders were found to be exchanged */
    bool half;                    /* an exchange was begun and could not be finished */
    uint64_t count;
    const void *subject; /* the drop that the status speaks of while there is no owner */
    struct progress status;
    struct aside aside; /* changed by the owner only, but for what is added with `collect` */
};

static inline struct install_check room_check_of(const struct restore *r)
{
    return (struct install_check){.in_use = r->options.in_use, .paths = &r->paths};
}

bool room_store_in_use(struct restore *r);

/* That no exchange was cut off, influxd does not use the store, and this is the store that it
 * uses. */
int room_check(struct restore *r, struct err *e);

/* Opens the targets and deals with what a killed restore has left. */
int room_open_targets(struct restore *r, struct targets **out, struct err *e);

/* Those and all that a restore needs: locked and probed. */
int room_prepare(struct restore *r, struct targets **out, struct err *e);

/* How the folders can be exchanged, as was found out last. */
int room_layout(struct restore *r, bool inside[TARGETS], struct err *e);

/* Becomes the owner; waits for another that works by itself, and a little for one that waits for
 * its writer. */
bool room_take(struct restore *r, const void *who);

/* Is not the owner any more; then what is owed to others is done. */
void room_leave(struct restore *r, const void *who);

/* What a job is given by the room. */
struct job room_job(const struct restore *r);

/* A restore was done: its verdict, which names the folders, comes last in the log. */
void room_say_restored(struct restore *r, const char *name);

/* The job was done, or failed: its targets are freed, or kept if it was cut off half way. */
void room_job_done(struct restore *r, struct job *j, int ret);

/* Numbers (numbers.c) */

/* What a job may apply: those that wait, those put aside if wanted, and one more (may be NULL). */
struct candidates {
    struct pending waiting;
    const struct number **all;
    size_t n;
};
int numbers_list(struct restore *r, const struct targets *t, const struct manifest *full,
                 const struct number *more, struct candidates *out, struct err *e);
void numbers_free(struct candidates *c);

/* After a restore: takes away what was applied or is superseded, and says what happened to each
 * but `more`. */
void numbers_settle(struct restore *r, const struct job *j, struct candidates *c,
                    const struct number *more);

/* Takes away the one that waited and does not fit. */
void numbers_drop_unfit(struct restore *r, const struct job *j, const struct candidates *c);

/* Tells the status what waits, now that the store holds this (may be NULL). */
void numbers_tell(struct restore *r, const struct targets *t, const struct manifest *held);

/* Applies what was kept while somebody else had the room. */
void numbers_pick_up(struct restore *r);

/* At the mount: removes litter, and tells what waits. */
void numbers_open(struct restore *r, struct targets *t);

/* The same of one more. */
void numbers_tell_one(struct restore *r, const struct number *n, const char *waits_for);

/* One that room_receive began has ended. */
void numbers_received(struct restore *r);

/* Puts one aside, taking it over, and all away: at once, or when their time has come. -ENOMEM. */
int aside_add(struct restore *r, struct incoming *in, bool old);
void aside_clear(struct restore *r);
void aside_expire(struct restore *r);

#endif
