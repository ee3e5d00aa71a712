/* SPDX-License-Identifier: MIT */
/*
 * What comes of a job (job.h) for its session: the targets let go, the log and the status, and
 * those told who use the store. For whoever has the staging area.
 */
#ifndef INFLUXFS_RESTORE_OUTCOME_H
#define INFLUXFS_RESTORE_OUTCOME_H

#include "store/restore/job.h"
#include "store/restore/session_parts.h"

/* A job for these targets, which outcome_of takes over. */
struct job outcome_begin(const struct session *s, struct targets *t);

/* The job has exchanged the store, or has not. Its targets are freed, with their lock, or kept by
 * the staging area if the exchange was cut off; the job is cleared. */
void outcome_of(struct session *s, struct job *j, bool exchanged);

/* The verdict on what was uploaded under this name, for the status and as the last line of the log;
 * and whoever uses an exchanged store is told (options.restored). why: of PROGRESS_REFUSED. */
void outcome_verdict(struct session *s, enum progress_state verdict, bool exchanged,
                     const char *name, const char *why);

#endif
