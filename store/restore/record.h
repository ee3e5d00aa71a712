/* SPDX-License-Identifier: MIT */
/*
 * Remembers what was restored last: a full manifest of the store's files, which tells whether the
 * store is still what an increment builds on.
 *
 * It is `restored.json` in the state folder (record_file.h). `restored.next.json` is written before an
 * exchange and replaces it after the commit; the valid one names exactly the files in the store, so a
 * kill in between does no harm. Without a writable state folder the record is only in memory, and of a
 * cut (record_prepare_cut) nowhere.
 *
 * Used by one thread at a time, with the targets locked.
 */
#ifndef INFLUXFS_RESTORE_RECORD_H
#define INFLUXFS_RESTORE_RECORD_H

#include "store/base/err.h"
#include "store/chain/cutuse.h"
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

/* *out: what was restored last, without the list of its files (manifest.h: unlisted), which the caller
 * frees; NULL: unknown. *moved_on: the store has changed since. 1 instead of 0: the restore was killed
 * before record_end, which must still be called. */
int record_look(struct record *r, const struct targets *t, struct manifest **out, bool *moved_on,
                struct err *e);

/* After record_look found that the store has not changed: whether something was done to a file since, as its
 * ctime tells. Then its bytes may be others, with size and time set back. */
bool record_touched(const struct record *r);

/* The same with its files, for the caller to free: of a record that record_look gave, and that is
 * settled. */
int record_read(const struct record *r, struct manifest **out, struct err *e);

/* Whether an exchange was cut off: then record_look must come before the store changes. */
bool record_unsettled(const struct record *r);

/* 1 if the store has exactly the files that were restored last (name, size, time), 0 if not, or if
 * there is no record; -errno. */
int record_fits(const struct record *r, const struct targets *t);

/* Before the exchange: writes `state`, the manifest of what is staged, with times as the file
 * system rounds them; if that fails, keeps it in memory, and *note says why. -EIO: the staging
 * folders do not hold these files. */
int record_prepare(struct record *r, struct manifest *state, const int staged[TARGETS],
                   struct err *note, struct err *e);

/* The same of a cut, whose files `state` does not list. The size of meta.db is as it was staged. */
int record_prepare_cut(struct record *r, const struct manifest *state, const struct cutuse *cut,
                       const int staged[TARGETS], struct err *note, struct err *e);

/* After the exchange was done, or not begun. Not called if it was cut off. */
void record_end(struct record *r, bool done);

#endif
