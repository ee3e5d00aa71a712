/* SPDX-License-Identifier: MIT */
/*
 * The staging area of a store: who has it, and whether and how the store can be exchanged.
 *
 * One at a time has the staging area, since it needs the lock of the targets (target.h) and ends
 * in an exchange: an upload that receives a full snapshot, or whoever has increments applied.
 *
 *           staging_take              staging_begin
 *     FREE ──────────────▶ WORKING ──────────────────▶ RECEIVING
 *      ▲  ◀──────────────     │    ◀──────────────────
 *      │    staging_leave     │     staging_take_back
 *      ▼                      ▼ staging_keep_half
 *   PROBING                 HALF: an exchange was begun and could not be finished; it stays so
 *
 * Every function may be called from any thread. A `const struct upload *` is compared and never
 * looked into.
 */
#ifndef INFLUXFS_RESTORE_STAGING_H
#define INFLUXFS_RESTORE_STAGING_H

#include "store/restore/account.h"
#include "store/restore/session_options.h"
#include "store/restore/stage.h"
#include "store/restore/target.h"

struct staging;

/* Of the options paths, owner, in_use, state_fd and notice are used; the account is borrowed.
 * -ENOMEM. */
int staging_open(const struct session_options *o, struct account *a, struct staging **out);
void staging_close(struct staging *st); /* NULL is allowed */

const struct store_paths *staging_paths(const struct staging *st);

/* Removes folders for side folders that are empty (targets_remove_homes), unless influxd uses the
 * store now. */
void staging_remove_homes(const struct staging *st, const struct targets *t);

/* That no exchange was cut off, influxd does not use the store, and this is the store that it uses.
 * -EIO: one was; -EBUSY; -EINVAL. */
int staging_check(struct staging *st, struct err *e);

/* Opens the targets: nothing is locked. What is found in side folders and left there is said in the
 * log, and to options.notice. The caller frees them. */
int staging_targets(struct staging *st, struct targets **out, struct err *e);

/* The same after what a killed restore has left was dealt with (install_recover), which is said in
 * the log. */
int staging_recover(struct staging *st, struct targets **out, struct err *e);

/* Whether a restore could begin now: all of staging_check, and a look at how the folders can be
 * exchanged, if nobody else is at it. */
int staging_may_begin(struct staging *st, struct err *e);

/* How the folders can be exchanged (target.h: `inside`), as was found out last; finds it out if it
 * never was. -EAGAIN: another does so, and takes long. */
int staging_layout(struct staging *st, bool inside[TARGETS], struct err *e);

/* Takes the staging area for this upload, or for the session itself (NULL). Waits for whoever works
 * there, and up to two seconds for one that waits for its writer and may never end: the last close
 * of a copy that broke off is heard of after its program has gone. false: it keeps it, or an
 * exchange was cut off. */
bool staging_take(struct staging *st, const struct upload *u);

/* The same without waiting. */
bool staging_take_free(struct staging *st);

/* Leaves it to others. true: work is owed. */
bool staging_leave(struct staging *st);

/* Notes that work is owed: an increment was kept because another had the staging area, and is to be
 * looked at when that has left it. */
void staging_owe(struct staging *st);

/* Takes the staging area for the session itself if work is owed, which it then is no more. false:
 * nothing is owed, or another has the staging area, whose staging_leave returns it. */
bool staging_take_owed(struct staging *st);

/* For whoever has it: the targets recovered, locked and probed, as an exchange needs them. Errors
 * as staging_check, and of targets_lock and targets_probe. */
int staging_prepare(struct staging *st, struct targets **out, struct err *e);

/* Prepares, and makes the staging folders for a full snapshot; from then on its upload is waited
 * for. The staging area keeps the targets and a copy of the manifest. */
int staging_begin(struct staging *st, const struct manifest *full, struct stage **out,
                  struct err *e);

/* Takes back what staging_begin kept, the caller's from now on. NULL: this upload has not got the
 * staging area, and *full is NULL too. */
struct targets *staging_take_back(struct staging *st, const struct upload *u,
                                  struct manifest **full);

/* An exchange was cut off: keeps the targets with their lock, and nobody gets the staging area any
 * more. */
void staging_keep_half(struct staging *st, struct targets *t);

#endif
