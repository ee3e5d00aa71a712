/* SPDX-License-Identifier: MIT */
/*
 * A restore session for one store: its folders, the staging area and its owner, log and status.
 *
 * Files being copied in are struct upload (upload.h). One full snapshot at a time may have the
 * staging area; increments ("numbers" to users) have slots of their own (increment.h). A full
 * snapshot is restored with the increments that follow it, as is an increment whose parent the
 * store holds; others wait for their parent, also across a restart. The state folder remembers the
 * last restore (record.h). Only install.h touches the old store, after everything was verified and
 * synced.
 *
 * Every function may be called from any thread. session_open starts no thread, so a program may
 * fork(2) to the background after it.
 *
 * Lock order: an upload's own lock, then those of the session's parts. None is held while the store
 * is exchanged or a callback of the options runs.
 */
#ifndef INFLUXFS_RESTORE_SESSION_H
#define INFLUXFS_RESTORE_SESSION_H

#include "store/restore/session_options.h"

struct account;
struct advice;
struct cuts;
struct session;

/* Opens a session, and finishes or undoes what a killed restore left (install_recover); the log
 * says what was done. Errors, with a message, after which nothing is changed: -EBUSY: a half
 * exchanged store that influxd uses; -EBADMSG: a journal that is unreadable or of other folders;
 * others from the system. */
int session_open(const struct session_options *o, struct session **out, struct err *e);

/* The cuts of this store (NULL: none), which must outlive all uploads: of a snapshot that is one of
 * them, files need not be written again (stage_match.h). Call before the first upload. */
void session_use_cuts(struct session *s, struct cuts *c);

/* Call after every upload was freed. */
void session_close(struct session *s);

static inline void session_closep(struct session **s)
{
    session_close(*s);
}

/* What the opening finished or undid, in words; or "". */
const char *session_recovered(const struct session *s);

/* Finishes or undoes it and no more, without a session; returns what install_recover does. */
int session_recover(const struct session_options *o, struct err *done, struct err *e);

/* Whether a restore could begin now; ask when a file is opened for writing. -EBUSY: influxd uses
 * the store, another program restores it, or something is mounted below its folders; -EINVAL:
 * influxd uses other folders with this configuration (seen.h); -EXDEV: its folders cannot be
 * renamed (the lower layer of an overlay); -EEXIST: a meta/raft.db that is not ours; -EACCES,
 * -EROFS, … The reason is also in the log. */
int session_may_begin(struct session *s, struct err *e);

/* The same, and no other process can begin a restore of the store before the next one of this session has
 * ended, or it is closed: its snapshot may come slowly. Only for a session with one user. */
int session_hold(struct session *s, struct err *e);

/* The part of that which inspects no processes and makes nothing: -EBUSY, with the name, if
 * something is mounted below the folders. */
int session_check_mounts(const struct store_paths *paths, struct err *e);

/* Whether a restore of this store was cut off, and what will become of it: a message in *what;
 * empty: no. Changes nothing. 1: none was, another process is restoring now; -EBADMSG: its journal is
 * damaged; other errors: unknown. */
int session_look(const struct store_paths *paths, struct err *what, struct err *e);

/* What the session says of its restores (account.h): the log, whose last line is the reason of a
 * refusal, the status, what waits, and the number of commits. Good until session_close. */
struct account *session_account(struct session *s);

/* Removes them all. -EAGAIN: a restore is under way. */
int session_forget_waiting(struct session *s, struct err *e);

/* Releases what is kept only for a while; call every few seconds. */
void session_expire(struct session *s);

/* What to know of the last restore; good until the next one or session_close. Only for a session
 * with one user. */
const struct advice *session_advised(const struct session *s);

#endif
