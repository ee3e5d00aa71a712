/* SPDX-License-Identifier: MIT */
/* The inside of a session, for session.c, increments.c and outcome.c; others use session.h or
 * session_upload.h. Each part guards itself but for the record and the advice, which are of
 * whoever has the staging area. */
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
};

/* For whoever has the staging area (outcome.c) */

/* A job for these targets, which outcome_end takes over. */
struct job outcome_begin(const struct session *s, struct targets *t);

/* The end of a job, or of what had no job (no targets), with the verdict on what was uploaded under
 * this name. Says what to know of an exchanged store, and the verdict as the last line of the log;
 * frees the targets, with their lock, unless the exchange was cut off: then the staging area keeps
 * them; and calls options.restored. PROGRESS_IDLE: there is nothing to say. why: of
 * PROGRESS_REFUSED. */
void outcome_end(struct session *s, struct job *j, enum progress_state verdict, bool exchanged,
                 const char *name, const char *why);

#endif
