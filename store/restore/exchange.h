/* SPDX-License-Identifier: MIT */
/*
 * The exchange of one target's folder with its staging folder, in steps that may be cut off
 * anywhere and are taken up again: what to do next follows from which folders are there. And the
 * fence.
 *
 * Whole:    older kept -> trash; target -> kept; new -> target. While `new` is there, it is not
 *           done.
 * Entries:  older kept -> trash; entries of target -> kept.tmp; kept.tmp -> kept; entries of new ->
 *           target, which gets the owner of new; rmdir new. kept.tmp, made beforehand, marks the
 *           first half, new the second.
 *
 * To discard what is replaced, `kept` stays as it is and trash takes its part: target -> trash, or
 * kept.tmp -> trash.
 *
 * Every rename is on disk (fsync of the folders) before the next kind of step begins.
 */
#ifndef INFLUXFS_RESTORE_EXCHANGE_H
#define INFLUXFS_RESTORE_EXCHANGE_H

#include "store/base/err.h"
#include "store/restore/target.h"

/* Makes kept.tmp where it is needed. Before the journal says `exchange`. */
int exchange_prepare(const struct target *t, struct err *e);

/* Does what is still to be done. */
int exchange_run(const struct target *t, bool discard, struct err *e);

/* META/raft.db, because of which influxd does not start. */
enum fence { FENCE_NONE, FENCE_OURS, FENCE_OTHER };
int fence_look(const struct target *meta, enum fence *out, struct err *e);

/* Puts it up, durably; makes the meta folder if there is none, with the mode of the staged one. */
int fence_raise(const struct target *meta, struct err *e);

/* Takes it down, durably. 0 if there is none; one that is not ours stays. */
int fence_lift(const struct target *meta, struct err *e);

#endif
