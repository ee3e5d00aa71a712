/* SPDX-License-Identifier: MIT */
/*
 * Remembers what was restored last: a full manifest of every file that the store had then, by which
 * to tell whether the store is still what an increment builds on.
 *
 * It is `restored.json` in the state folder. `restored.next.json` is written before an exchange and
 * takes its place after the commit; whichever of them names exactly the files that lie in the store
 * is valid, so a kill in between does no harm. Without a state folder, or if it cannot be written
 * to, the record is in memory only.
 *
 * Used by one thread at a time, with the lock of the targets held.
 */
#ifndef INFLUXFS_RESTORE_RECORD_H
#define INFLUXFS_RESTORE_RECORD_H

#include "store/base/err.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

struct record;

/* state_fd: the state folder, which stays the caller's; -1: there is none. -ENOMEM. */
int record_open(int state_fd, struct record **out);
void record_close(struct record *r); /* NULL is allowed */

/* *out: what was restored last, which the caller frees, or NULL if that is not known; *moved_on:
 * whether the store has changed since. 1 instead of 0: its restore was killed before record_end,
 * which is still to be called. */
int record_look(struct record *r, const struct targets *t, struct manifest **out, bool *moved_on,
                struct err *e);

/* Whether an exchange was cut off, so that record_look must be called before the store changes. */
bool record_unsettled(const struct record *r);

/* 1 if the store consists of exactly these files (name, size, time), 0 if it does not, -errno. */
int record_fits(const struct manifest *m, const struct targets *t);

/* Before the exchange: writes down `state`, the manifest of what is staged, with times as the file
 * system rounds them. If it cannot be written, it is kept in memory and *note says why. -EIO: the
 * staging folders do not hold these files. */
int record_prepare(struct record *r, struct manifest *state, const int staged[TARGETS],
                   struct err *note, struct err *e);

/* After the exchange was done, or was not begun. Not called when it was interrupted in between. */
void record_end(struct record *r, bool done);

#endif
