/* SPDX-License-Identifier: MIT */
/*
 * A restore session for one store: its folders, who owns the staging area, log and status.
 *
 * Files that are being copied in are struct drop
 * (drop.h); one of them at a time may hold the staging folders. Incremental snapshots ("numbers")
 * have places of their own, so any number of them may be received at once. One whose parent the
 * store holds, as it was restored, is restored with all that follow it; others wait for their
 * parent, also across a restart. A full snapshot is restored together with those that follow it.
 * What was restored last is known from the state folder (record.h). The old store is touched by
 * nobody but install.h, after everything was verified and synced.
 *
 * Every function may be called from any thread. No thread is started by session_open, so it may
 * be called before a program goes to the background by fork(2).
 *
 * Lock order: a drop's own lock, then the session's. Neither is held while the store is
 * exchanged or while a callback of the options runs.
 */
#ifndef INFLUXFS_RESTORE_SESSION_H
#define INFLUXFS_RESTORE_SESSION_H

#include "store/base/err.h"
#include "store/influx/census.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct session;

/* What came with the store that was restored last (advice.h has the lines for people). */
struct advice {
    struct census census;
    char *created;  /* when the snapshot was taken, RFC 3339; NULL: nothing was restored yet */
    bool kept;      /* the policies in it keep points for ever from now on */
    bool unread;    /* its meta.db was not understood */
    char **damaged; /* TSM files whose header or footer is damaged, in words */
    size_t ndamaged;
};

struct session_options {
    const struct store_paths *paths; /* copied; the folders need not exist */
    uid_t uid; /* who owns restored files; (uid_t)-1: the owner of the folder that is replaced, */
    gid_t gid; /* else user influxdb where there is one. Without root's rights: this process */

    /* running_uses() of store/influx/running.h: 0, or -EBUSY while influxd uses the store. NULL:
     * never asked, nor which folders influxd uses (the mount option `force`). */
    int (*in_use)(const struct store_paths *paths, struct err *e);

    /* Folder for `restore.log` and `restored.json`, borrowed during session_open; -1: in memory. */
    int state_fd;

    /* Numbers are only collected, whatever the store holds, for the full snapshot that comes last;
     * they are gone with session_close. Those that wait on disk are let be. */
    bool collect;

    /* Policies whose shards retention would delete at influxd's first check are made to keep points
     * for ever, in the meta.db that is restored. */
    bool keep_expired;

    /* Called with no lock held, in the thread that restored, once another store lies in the
     * folders: descriptors of the old ones are to be opened anew. May be NULL. */
    void (*restored)(void *arg);

    /* Told, besides the log, what an operator is to look at although nothing failed: that something
     * was found in side folders which a restore does not remove. No lock is held. May be NULL. */
    void (*notice)(void *arg, const char *text);
    void *arg;
};

/* Makes the session and finishes or undoes what a killed restore has left (install_recover); what
 * was done then is in the log. Errors, with words: -EBUSY: a half exchanged store that influxd
 * uses; -EBADMSG: a journal that cannot be read or does not fit these folders; others from the
 * system. Nothing was changed then. */
int session_open(const struct session_options *o, struct session **out, struct err *e);

/* Every drop must have been freed. */
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

/* Whether a restore of this store was cut off, and what becomes of it, in words in *what; empty:
 * no. Changes nothing. Errors: it cannot be known; -EBADMSG: its journal is damaged. */
int session_look(const struct store_paths *paths, struct err *what, struct err *e);

/* The log: a line an event, each "RFC3339 text\n"; the reason of a refusal is the last line. The
 * descriptor is the session's, good until session_close; read it with pread and fstat. Emptied when
 * a restore begins and it has grown past 8 MiB. */
int session_log_fd(const struct session *s);

/* What restore/status.json shows, as text with a newline at its end; the caller frees it. -ENOMEM.
 * {"state":"idle|receiving|verified|installing|restored|pending|refused","name":…,"id":…,
 *  "bytes":N,"total_bytes":N,"files":N,"total_files":N,"started":RFC3339|null,"ended":RFC3339|null,"error":text|null,
 *  "kept":[folder,…],"warnings":[text,…],"restores":N,
 *  "pending":[{"name":…,"number":N,"id":…,"parent":…,"waits_for":words},…]} */
int session_status_json(struct session *s, char **text);

/* The same as data (progress.h): a copy, which the caller clears, and the number of restores. */
struct progress;
void session_status(struct session *s, struct progress *out, uint64_t *restores);

/* The verified numbers that wait. The caller frees the list with session_waiting_free. -ENOMEM. */
struct session_waiting {
    char *name; /* as it was dropped */
    int64_t number;
    char *id, *parent; /* of snapshots */
    char *waits_for;   /* in words */
};
int session_waiting(struct session *s, struct session_waiting **out, size_t *n);
void session_waiting_free(struct session_waiting *list, size_t n);

/* Removes them all. -EAGAIN: a restore is under way. */
int session_forget_waiting(struct session *s, struct err *e);

/* Lets go what is only kept for a while; to be called every few seconds. */
void session_expire(struct session *s);

/* Of the last restore; good until the next one, or session_close: for the only user of the session.
 */
const struct advice *session_advised(const struct session *s);

/* How many restores have been committed since session_open. */
uint64_t session_count(struct session *s);

#endif
