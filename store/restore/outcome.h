/* SPDX-License-Identifier: MIT */
/*
 * What comes of a job (job.h) for its session: the targets, the log and the status, and a call to
 * those who use the store. For whoever has the staging area.
 */
#ifndef INFLUXFS_RESTORE_OUTCOME_H
#define INFLUXFS_RESTORE_OUTCOME_H

#include "store/restore/job.h"
#include "store/restore/session_parts.h"

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
