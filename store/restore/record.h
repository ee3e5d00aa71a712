/* SPDX-License-Identifier: MIT */
/*
 * What was restored last: a full manifest of every file that the store had then, so that a number
 * can be told whether the store is still what it builds on.
 *
 * It is `restored.json` in the state folder. `restored.next.json` is written before an exchange and
 * takes its place after the commit; whichever of them names exactly the files that lie in the store
 * is the truth, so a kill in between does no harm. Without a state folder, or where it cannot be
 * written to, it is in memory only.
 *
 * Used by one thread at a time, with the lock of the targets held.
 */
#ifndef INFLUXFS_RESTORE_RECORD_H
#define INFLUXFS_RESTORE_RECORD_H

#include "store/base/err.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

struct record;

/* state_fd: the state folder, not taken over; -1: none. -ENOMEM. */
int record_open(int state_fd, struct record **out);
void record_close(struct record *r); /* NULL is allowed */

/* What was restored last, which the caller frees: NULL if that is not known. *moved_on: the store
 * has changed since. */
int record_look(struct record *r, const struct targets *t, struct manifest **out, bool *moved_on,
                struct err *e);

/* Whether an exchange was cut off, and record_look is to be asked before the store changes. */
bool record_unsettled(const struct record *r);

/* 1 if the store consists of exactly these files (name, size, time), 0 if it does not, -errno. */
int record_fits(const struct manifest *m, const struct targets *t);

/* Before the exchange: the state becomes what is staged (the times are as the file system has
 * them), and is written down. In *note why it could not be: then it is remembered in memory.
 * -EIO: the staging folders do not hold these files. */
int record_prepare(struct record *r, struct manifest *state, const int staged[TARGETS],
                   struct err *note, struct err *e);

/* After it: done, or not begun. Not to be called when it was cut off in between. */
void record_end(struct record *r, bool done);

#endif
