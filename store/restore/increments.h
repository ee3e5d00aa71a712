/* SPDX-License-Identifier: MIT */
/*
 * The increments of a session (increment.h tells of one): received beside each other, judged, found
 * when a store is about to be exchanged, and cleared away after that.
 */
#ifndef INFLUXFS_RESTORE_INCREMENTS_H
#define INFLUXFS_RESTORE_INCREMENTS_H

#include "store/restore/increment.h"
#include "store/restore/job.h"

struct session;
struct upload;

/* An increment begins: makes a slot to unpack into, beside all others. Any thread; the staging area
 * is not needed. Ended by increments_accept or increments_discard (it is given up). Errors as
 * staging_check and staging_layout, and of increment_new. */
int increments_receive(struct session *s, const char *name, const struct manifest *m,
                       struct increment **out, struct stage **stage, struct err *e);
void increments_discard(struct session *s, struct increment *i);

/* At the mount: removes litter, and shows what waits. With the targets recovered. */
void increments_open(struct session *s, struct targets *t);

/* It is verified and sealed, and is taken over (increment_accept.c): restored with those that follow
 * it, or kept until its parent comes (*waits), or neither if the store holds it already. -ESTALE: it
 * does not follow what the store holds; -EBADMSG: it does not fit; and as job_run. */
int increments_accept(struct session *s, const struct upload *u, struct increment *i,
                      const char *name, bool *waits, struct err *e);

/* Puts those that wait before the store, while that is owed and the staging area can be had. */
void increments_catch_up(struct session *s);

/* What follows is for whoever has the staging area. */

/* What the store holds, as record_look; and says so if it is not what the log says. */
int increments_look(struct session *s, const struct targets *t, struct manifest **present,
                    bool *moved_on, struct err *e);

/* Gives a job what it may apply: those that wait, those parked if they lead on from `full`, the
 * snapshot that is staged (or NULL), and last the one that came to be judged (or NULL). */
int increments_gather(struct session *s, struct job *j, const struct manifest *full,
                      const struct increment *came, struct err *e);

/* After a restore: of those that waited, removes or parks what was applied and removes what is
 * superseded or does not fit; and says so, but for `came`. */
void increments_settle(struct session *s, const struct job *j, const struct increment *came);

/* Removes the one that waited and was found not to fit, if there is one. */
void increments_remove_unfit(struct session *s, const struct job *j);

/* Shows in the status what waits. present: what the store holds; NULL if that is not known. Where
 * memory or the disk fails, the status stays as it was. */
void increments_show(struct session *s, const struct targets *t, const struct manifest *present);

/* Removes all that wait, and those that are parked. */
int increments_forget(struct session *s, struct err *e);

#endif
