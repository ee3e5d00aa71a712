/* SPDX-License-Identifier: MIT */
/* The increments of a session (increment.h has one): received side by side, judged, gathered for an
 * exchange of the store, and cleared away after it. */
#ifndef INFLUXFS_RESTORE_INCREMENTS_H
#define INFLUXFS_RESTORE_INCREMENTS_H

#include "store/restore/increment.h"
#include "store/restore/job.h"

struct session;
struct upload;

/* Logs what is received. */
void increments_say_begun(struct session *s, const char *name, const struct manifest *m);

/* An increment begins: makes a slot to unpack into. Any thread; works without the staging area.
 * Ended by increments_accept, or by increments_discard to give it up. Errors as staging_aside and
 * increment_new. */
int increments_receive(struct session *s, const char *name, const struct manifest *m,
                       struct increment **out, struct stage **stage, struct err *e);
void increments_discard(struct session *s, struct increment *i);

/* At the mount, with the targets recovered: removes litter, and shows what waits. */
void increments_open(struct session *s, struct targets *t);

/* Takes over a verified and sealed increment (increment_accept.c): restores it with those that
 * follow it, keeps it until its parent comes (*waits), or drops it if the store holds it already.
 * -ESTALE: it does not follow what the store holds; -EBADMSG: it does not fit; and as job_run. */
int increments_accept(struct session *s, const struct upload *u, struct increment *i,
                      const char *name, bool *waits, struct err *e);

/* Puts increments that wait before the store, while that is owed and the staging area is free. */
void increments_catch_up(struct session *s);

/* Only for the owner of the staging area: */

/* What the store holds, as record_look, without its files. Ends, and logs, the record of a restore that was killed
 * after its commit. */
int increments_look(struct session *s, const struct targets *t, struct manifest **present,
                    bool *moved_on, struct err *e);

/* Gives a job what it may apply: increments that wait; parked ones if they lead on from `full`, the
 * staged snapshot (or NULL); and last the one that is being judged (or NULL). */
int increments_gather(struct session *s, struct job *j, const struct manifest *full,
                      const struct increment *came, struct err *e);

/* After a restore: of those that waited, removes or parks what was applied, and removes what is
 * superseded or does not fit. Logs this, except for `came`. */
void increments_settle(struct session *s, const struct job *j, const struct increment *came);

/* Removes the increment that waited and did not fit, if any. */
void increments_remove_unfit(struct session *s, const struct job *j);

/* Shows in the status what waits. present: what the store holds; NULL if unknown. Without memory or
 * disk space, the status stays as it was. */
void increments_show(struct session *s, const struct targets *t, const struct manifest *present);

/* Removes all increments that wait or are parked. */
int increments_forget(struct session *s, struct err *e);

#endif
