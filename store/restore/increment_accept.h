/* SPDX-License-Identifier: MIT */
/* What becomes of an increment that was received whole: the verdict on it. */
#ifndef INFLUXFS_RESTORE_INCREMENT_ACCEPT_H
#define INFLUXFS_RESTORE_INCREMENT_ACCEPT_H

#include "store/restore/increment.h"
#include "store/restore/session_parts.h"

/* All take over the increment, which was uploaded under `name` and has that name. *state is what it
 * has become, where it was not refused: INCREMENT_INCOMING stands for one that was restored. */

/* Puts it before the store, for whoever has the staging area: it is restored with those that follow
 * it, parked, or kept until its parent comes. -ESTALE: it does not follow what the store holds;
 * -EBADMSG: it does not fit; and as job_run. */
int increment_accept(struct session *s, struct increment *i, const char *name,
                     enum increment_state *state, struct err *e);

/* Keeps it because another has the staging area, to which it is owed. */
int increment_accept_later(struct session *s, struct increment *i, const char *name,
                           enum increment_state *state, struct err *e);

/* Only collects it for the full snapshot that comes last. */
int increment_collect(struct session *s, struct increment *i, const char *name,
                      enum increment_state *state);

/* Puts those that wait before the store, while that is owed and the staging area can be had. */
void increments_catch_up(struct session *s);

#endif
