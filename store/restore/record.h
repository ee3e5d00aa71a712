/* SPDX-License-Identifier: MIT */
/*
 * Remembers what was restored last: a full manifest of the store's files, which tells whether the
 * store is still what an increment builds on.
 *
 * It is `restored.json` in the state folder. `restored.next.json` is written before an exchange and
 * replaces it after the commit; the valid one names exactly the files in the store, so a kill in
 * between does no harm. Without a writable state folder the record is only in memory.
 *
 * Used by one thread at a time, with the targets locked.
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
static inline void record_closep(struct record **r)
{
    record_close(*r);
}

/* *out: what was restored last, which the caller frees; NULL: unknown. *moved_on: the store has
 * changed since. 1 instead of 0: the restore was killed before record_end, which must still be
 * called. */
int record_look(struct record *r, const struct targets *t, struct manifest **out, bool *moved_on,
                struct err *e);

/* Whether an exchange was cut off: then record_look must come before the store changes. */
bool record_unsettled(const struct record *r);

/* 1 if the store has exactly these files (name, size, time), 0 if not, -errno. */
int record_fits(const struct manifest *m, const struct targets *t);

/* Before the exchange: writes `state`, the manifest of what is staged, with times as the file
 * system rounds them; if that fails, keeps it in memory, and *note says why. -EIO: the staging
 * folders do not hold these files. */
int record_prepare(struct record *r, struct manifest *state, const int staged[TARGETS],
                   struct err *note, struct err *e);

/* After the exchange was done, or not begun. Not called if it was cut off. */
void record_end(struct record *r, bool done);

#endif
