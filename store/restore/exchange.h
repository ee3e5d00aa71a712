/* SPDX-License-Identifier: MIT */
/*
 * The exchange of a target's folder with its staging folder, in steps that may be cut off anywhere:
 * the folders that are there show how to go on. And the fence.
 *
 * Whole:    older kept -> trash; target -> kept; new -> target. Unfinished while `new` is there.
 * Entries:  older kept -> trash; entries of target -> kept.tmp; kept.tmp -> kept; entries of new ->
 *           target, which gets the owner of new; rmdir new. kept.tmp, made beforehand, marks the
 *           first half, new the second.
 *
 * To discard what is replaced, `kept` stays as it is, and trash takes its part: target -> trash, or
 * kept.tmp -> trash. Renames are on disk (fsync of the folders) before the next kind of step.
 */
#ifndef INFLUXFS_RESTORE_EXCHANGE_H
#define INFLUXFS_RESTORE_EXCHANGE_H

#include "store/base/err.h"
#include "store/restore/target.h"

/* Makes kept.tmp if needed. Call before the journal says `exchange`. */
int exchange_prepare(const struct target *t, struct err *e);

/* Takes all steps that remain. */
int exchange_run(const struct target *t, bool discard, struct err *e);

/* META/raft.db, which keeps influxd from starting. */
enum fence { FENCE_NONE, FENCE_OURS, FENCE_OTHER };
int fence_look(const struct target *meta, enum fence *out, struct err *e);

/* Raises the fence, durably; makes the meta folder if missing, with the staged one's mode. */
int fence_raise(const struct target *meta, struct err *e);

/* Removes the fence, durably. 0 if there is none; one that is not ours stays. */
int fence_lift(const struct target *meta, struct err *e);

#endif
