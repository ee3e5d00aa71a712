/* SPDX-License-Identifier: MIT */
/* The inside of a session, for session.c (its life), session_work.c (who is at work in it) and
 * numbers.c (incremental snapshots); others use session.h or session_upload.h. */
#ifndef INFLUXFS_RESTORE_SESSION_IMPL_H
#define INFLUXFS_RESTORE_SESSION_IMPL_H

#include "store/restore/advice.h"
#include "store/restore/install.h"
#include "store/restore/job.h"
#include "store/restore/progress.h"
#include "store/restore/record.h"
#include "store/restore/session.h"
#include "store/restore/session_upload.h"

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

struct session {
    struct store_paths paths;
    struct session_options options; /* paths and state_fd are not used from here */
    int log;
    int state;             /* the state folder, or -1 */
    struct record *record; /* the owner's */
    struct advice advice;  /* of the last restore; likewise */

    pthread_mutex_t lock;    /* what follows; held for moments only */
    pthread_cond_t freed;    /* nobody has the staging folders */
    const void *owner;       /* the drop that has them, or is about to */
    bool at_mercy;           /* of its writer is the owner: there is no telling when it will end */
    bool probing;            /* somebody asks whether a restore could begin, and has the lock */
    bool owed;               /* a number was kept because another had the staging folders */
    struct targets *targets; /* the owner's; used by that drop's threads without the lock */
    struct manifest *full;   /* of its snapshot */
    bool probed, inside[TARGETS]; /* how the folders were found to be exchanged */
    bool half;                    /* an exchange was begun and could not be finished */
    uint64_t count;
    const void *subject; /* the drop that the status speaks of while there is no owner */
    struct progress status;
    struct aside aside; /* changed by the owner only, but for what is added with `collect` */
};

static inline struct install_check session_check_of(const struct session *s)
{
    return (struct install_check){.in_use = s->options.in_use, .paths = &s->paths};
}

bool session_store_in_use(struct session *s);

/* That no exchange was cut off, influxd does not use the store, and this is the store that it
 * uses. */
int session_check(struct session *s, struct err *e);

/* Opens the targets and deals with what a killed restore has left. */
int session_open_targets(struct session *s, struct targets **out, struct err *e);

/* Those and all that a restore needs: locked and probed. */
int session_prepare(struct session *s, struct targets **out, struct err *e);

/* How the folders can be exchanged, as was found out last. */
int session_layout(struct session *s, bool inside[TARGETS], struct err *e);

/* Becomes the owner; waits for another that works by itself, and a little for one that waits for
 * its writer. */
bool session_take(struct session *s, const void *who);

/* Is not the owner any more; then what is owed to others is done. */
void session_leave(struct session *s, const void *who);

/* What a job is given by its session. */
struct job session_job(const struct session *s);

/* A restore was done: its verdict, which names the folders, comes last in the log. */
void session_say_restored(struct session *s, const char *name);

/* The job was done, or failed: its targets are freed, or kept if it was cut off half way. */
void session_job_done(struct session *s, struct job *j, int ret);

/* Numbers (numbers.c) */

/* What a job may apply: those that wait, those put aside if wanted, and one more (may be NULL). */
struct candidates {
    struct pending waiting;
    const struct number **all;
    size_t n;
};
int numbers_list(struct session *s, const struct targets *t, const struct manifest *full,
                 const struct number *more, struct candidates *out, struct err *e);
void numbers_free(struct candidates *c);

/* After a restore: takes away what was applied or is superseded, and says what happened to each
 * but `more`. */
void numbers_settle(struct session *s, const struct job *j, struct candidates *c,
                    const struct number *more);

/* Takes away the one that waited and does not fit. */
void numbers_drop_unfit(struct session *s, const struct job *j, const struct candidates *c);

/* Tells the status what waits, now that the store holds this (may be NULL). */
void numbers_tell(struct session *s, const struct targets *t, const struct manifest *held);

/* Applies what was kept while another had the staging folders. */
void numbers_pick_up(struct session *s);

/* At the mount: removes litter, and tells what waits. */
void numbers_open(struct session *s, struct targets *t);

/* The same of one more. */
void numbers_tell_one(struct session *s, const struct number *n, const char *waits_for);

/* One that session_receive began has ended. */
void numbers_received(struct session *s);

/* Puts one aside, taking it over, and all away: at once, or when their time has come. -ENOMEM. */
int aside_add(struct session *s, struct incoming *in, bool old);
void aside_clear(struct session *s);
void aside_expire(struct session *s);

#endif
