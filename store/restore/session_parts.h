/* SPDX-License-Identifier: MIT */
/* The inside of a session, for session.c, increments.c and outcome.c; others use session.h or
 * session_upload.h. Each part guards itself, except the record and the advice, which belong to the
 * owner of the staging area. */
#ifndef INFLUXFS_RESTORE_SESSION_PARTS_H
#define INFLUXFS_RESTORE_SESSION_PARTS_H

#include "store/restore/account.h"
#include "store/restore/advice.h"
#include "store/restore/job.h"
#include "store/restore/parked.h"
#include "store/restore/record.h"
#include "store/restore/session_options.h"
#include "store/restore/staging.h"

struct session {
    struct session_options options; /* paths and state_fd are not used from here */
    struct account *account;
    struct staging *staging;
    struct parked *parked;
    struct record *record; /* what was restored last, */
    struct advice advice;  /* and what to know of it */
    struct cuts *cuts;     /* session_use_cuts; or NULL */
    struct err recovered;  /* what the opening did about a restore that was cut off; or empty */
};

/* For the owner of the staging area (outcome.c) */

/* A job for these targets, which outcome_end takes over. */
struct job outcome_begin(const struct session *s, struct targets *t);

/* Ends a job, or what had no job (no targets), with the verdict on the upload of this name. Logs
 * what to know of an exchanged store, and last the verdict; calls options.restored; frees the
 * targets and their lock, unless the exchange was cut off: then the staging area keeps them.
 * PROGRESS_IDLE: nothing to say. why: of PROGRESS_REFUSED. */
void outcome_end(struct session *s, struct job *j, enum progress_state verdict, bool exchanged,
                 const char *name, const char *why);

#endif
