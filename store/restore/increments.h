/* SPDX-License-Identifier: MIT */
/*
 * The increments of a session (increment.h tells of one): received beside each other, found when a
 * store is about to be exchanged, and cleared away after that.
 */
#ifndef INFLUXFS_RESTORE_INCREMENTS_H
#define INFLUXFS_RESTORE_INCREMENTS_H

#include "store/restore/increment.h"
#include "store/restore/job.h"
#include "store/restore/session_parts.h"

/* Makes a slot for an increment, beside all others. Any thread; the staging area is not needed. It
 * is ended by increments_discard, or parked_received when it was taken over. Errors as
 * staging_check and staging_layout, and of increment_new. */
int increments_receive(struct session *s, const char *name, const struct manifest *m,
                       struct increment **out, struct stage **stage, struct err *e);
void increments_discard(struct session *s, struct increment *i);

/* At the mount: removes litter, and shows what waits. With the targets recovered. */
void increments_open(struct session *s, struct targets *t);

/* What follows is for whoever has the staging area. */

/* What the store holds, as record_look; and says so if it is not what the log says. */
int increments_look(struct session *s, const struct targets *t, struct manifest **present,
                    bool *moved_on, struct err *e);

/* What a job may apply; all but `waiting` is borrowed. */
struct candidates {
    struct increment_list waiting;
    const struct increment **all; /* those that wait, those parked, and the one that came */
    size_t n;
};

/* full: the snapshot that is staged, or NULL; came: one that is to be judged, or NULL. */
int increments_candidates(struct session *s, const struct targets *t, const struct manifest *full,
                          const struct increment *came, struct candidates *out, struct err *e);
void candidates_free(struct candidates *c);

/* After a restore: of those that waited, removes or parks what was applied and removes what is
 * superseded or does not fit; and says so, but for `came`. */
void increments_settle(struct session *s, const struct job *j, const struct candidates *c,
                       const struct increment *came);

/* Removes the one that waited and was found not to fit, if there is one. */
void increments_remove_unfit(struct session *s, const struct job *j, const struct candidates *c);

/* Shows in the status what waits. present: what the store holds; NULL if that is not known. Where
 * memory or the disk fails, the status stays as it was. */
void increments_show(struct session *s, const struct targets *t, const struct manifest *present);

/* Removes all that wait, and those that are parked. */
int increments_forget(struct session *s, struct err *e);

#endif
