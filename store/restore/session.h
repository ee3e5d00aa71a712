/* SPDX-License-Identifier: MIT */
/*
 * A restore session for one store: its folders, who has the staging area, log and status.
 *
 * Files that are being copied in are struct upload (upload.h). One at a time, a full snapshot, may
 * have the staging area; increments ("numbers" to users) have slots of their own (increment.h). A
 * full snapshot is restored with the increments that follow it, and so is an increment whose parent
 * the store holds; others wait for their parent, also across a restart. What was restored last is
 * known from the state folder (record.h). The old store is touched by install.h alone, after
 * everything was verified and synced.
 *
 * Every function may be called from any thread. No thread is started by session_open, so it may
 * be called before a program goes to the background by fork(2).
 *
 * Lock order: an upload's own lock, then those of the session's parts. None is held while the store
 * is exchanged or while a callback of the options runs.
 */
#ifndef INFLUXFS_RESTORE_SESSION_H
#define INFLUXFS_RESTORE_SESSION_H

#include "store/restore/session_options.h"

struct account;
struct advice;
struct session;

/* Opens a session, and finishes or undoes what a killed restore has left (install_recover); what
 * was done then is in the log. Errors, with a message: -EBUSY: a half exchanged store that influxd
 * uses; -EBADMSG: a journal that cannot be read or does not fit these folders; others from the
 * system. Nothing was changed then. */
int session_open(const struct session_options *o, struct session **out, struct err *e);

/* Every upload must have been freed. */
void session_close(struct session *s);

static inline void session_closep(struct session **s)
{
    session_close(*s);
}

/* Whether a restore could begin now; to be asked when a file is opened for writing. -EBUSY: influxd
 * uses the store, another program restores it, or something is mounted below its folders; -EINVAL:
 * influxd uses other folders with this configuration (seen.h); -EXDEV: its folders cannot be
 * renamed (the lower layer of an overlay); -EEXIST: a meta/raft.db that is not ours; -EACCES,
 * -EROFS, … The reason is also in the log. */
int session_may_begin(struct session *s, struct err *e);

/* What of that needs no look at processes and makes nothing: -EBUSY if something is mounted below
 * the folders, with its name. */
int session_check_mounts(const struct store_paths *paths, struct err *e);

/* Whether a restore of this store was cut off, and what becomes of it: a message in *what; empty:
 * no. Changes nothing. Errors: it cannot be known; -EBADMSG: its journal is damaged. */
int session_look(const struct store_paths *paths, struct err *what, struct err *e);

/* What it says of its restores: the log, where the reason of a refusal is the last line, the
 * status, what waits, and how many were committed (account.h). Good until session_close. */
struct account *session_account(struct session *s);

/* Removes them all. -EAGAIN: a restore is under way. */
int session_forget_waiting(struct session *s, struct err *e);

/* Lets go what is only kept for a while; to be called every few seconds. */
void session_expire(struct session *s);

/* What to know of the last restore; good until the next one, or session_close: for the only user of
 * the session. */
const struct advice *session_advised(const struct session *s);

#endif
