/* SPDX-License-Identifier: MIT */
/*
 * The staging area of a store: its owner, and whether and how the store can be exchanged.
 *
 * It has one owner at a time, who needs the lock of the targets (target.h) and ends in an exchange:
 * an upload that receives a full snapshot, or the session while it applies increments.
 *
 *           staging_take              staging_begin
 *     FREE ──────────────▶ WORKING ──────────────────▶ RECEIVING
 *      ▲  ◀──────────────     │    ◀──────────────────
 *      │    staging_leave     │     staging_take_back
 *      ▼                      ▼ staging_keep_half
 *   PROBING                 HALF: an exchange could not be finished; it stays so
 *
 * Every function may be called from any thread. A `const struct upload *` is only compared.
 */
#ifndef INFLUXFS_RESTORE_STAGING_H
#define INFLUXFS_RESTORE_STAGING_H

#include "store/restore/account.h"
#include "store/restore/session_options.h"
#include "store/restore/stage.h"
#include "store/restore/target.h"

struct staging;

/* Uses the options paths, owner, in_use, state_fd and notice, and borrows the account. -ENOMEM. */
int staging_open(const struct session_options *o, struct account *a, struct staging **out);
void staging_close(struct staging *st); /* NULL is allowed */

const struct store_paths *staging_paths(const struct staging *st);

/* The state folder; -1: there is none. The staging keeps it. */
int staging_state_folder(const struct staging *st);

/* Removes empty folders for side folders (targets_remove_homes), unless influxd uses the store
 * now. */
void staging_remove_homes(const struct staging *st, const struct targets *t);

/* Checks that no exchange was cut off (-EIO), that influxd does not use the store (-EBUSY), and
 * that influxd uses no other folders (-EINVAL). */
int staging_check(struct staging *st, struct err *e);

/* Opens the targets, unlocked, for the caller to free. Unknown things left in side folders go to
 * the log and to options.notice. */
int staging_targets(struct staging *st, struct targets **out, struct err *e);

/* The same after install_recover, whose work is logged and in *done; returns what that does. */
int staging_recover(struct staging *st, struct targets **out, struct err *done, struct err *e);

/* Whether a restore could begin now: staging_check, and a look at how the folders can be exchanged,
 * unless another thread is at it. hold: and keeps other processes from beginning one (-EBUSY there), until
 * the next staging_prepare, staging_begin or staging_lock takes over the lock, or staging_close; only where
 * no other thread uses the staging. */
int staging_may_begin(struct staging *st, bool hold, struct err *e);

/* targets_lock, with the lock that is held, if any. */
int staging_lock(struct staging *st, struct targets *t, bool make, struct err *e);

/* Opens the targets, unlocked, for what is kept in a side folder beside a restore: after
 * staging_check, with how each can be exchanged (target.h: `inside`), as last found; finds out if
 * that is unknown. The caller frees *out. -EAGAIN: another thread is finding out, and takes long. */
int staging_aside(struct staging *st, struct targets **out, struct err *e);

/* Takes the staging area for this upload, or for the session (NULL). Waits for work in it, and up
 * to two seconds for an upload that waits for its writer: the last close of a broken copy comes
 * after its program is gone. false: the area stays taken, or an exchange was cut off. */
bool staging_take(struct staging *st, const struct upload *u);

/* The same without waiting. */
bool staging_take_free(struct staging *st);

/* Leaves the staging area. true: work is owed. */
bool staging_leave(struct staging *st);

/* Notes that work is owed: an increment was kept because another had the staging area, and must be
 * looked at afterwards. */
void staging_owe(struct staging *st);

/* Takes the staging area for the session if work is owed, and clears that. false: nothing is owed,
 * or another has the area, whose staging_leave will return true. */
bool staging_take_owed(struct staging *st);

/* For the area's owner: gives the targets recovered, locked and probed, for an exchange. Errors as
 * staging_check, targets_lock and targets_probe. */
int staging_prepare(struct staging *st, struct targets **out, struct err *e);

/* Prepares, and makes the staging folders for a full snapshot; from then on others wait for its
 * upload. The area keeps the targets and a copy of the manifest. */
int staging_begin(struct staging *st, const struct manifest *full, struct stage **out,
                  struct err *e);

/* Takes back, for the caller, what staging_begin kept. NULL: this upload does not have the staging
 * area; *full is NULL too. */
struct targets *staging_take_back(struct staging *st, const struct upload *u,
                                  struct manifest **full);

/* An exchange was cut off: keeps the targets locked, and the staging area taken for good. */
void staging_keep_half(struct staging *st, struct targets *t);

#endif
