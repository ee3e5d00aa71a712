/* SPDX-License-Identifier: MIT */
/*
 * The room in which one store is restored: where it lies, who is at work, what was said.
 *
 * One struct restore stands for one store. Files that are being copied in are struct drop
 * (drop.h); one of them at a time may hold the staging folders. Incremental snapshots ("numbers")
 * have places of their own, so any number of them may be received at once. One whose parent the
 * store holds, as it was restored, is restored with all that follow it; others wait for their
 * parent, also across a restart. A full snapshot is restored together with those that follow it.
 * What was restored last is known from the state folder (record.h). The old store is touched by
 * nobody but install.h, after everything was verified and synced.
 *
 * Every function may be called from any thread. No thread is started by restore_open, so it may
 * be called before a program goes to the background by fork(2).
 *
 * Lock order: a drop's own lock, then this room's lock. Neither is held while the store is
 * exchanged or while a callback of the options runs.
 */
#ifndef INFLUXFS_RESTORE_RESTORE_H
#define INFLUXFS_RESTORE_RESTORE_H

#include "store/base/err.h"
#include "store/influx/census.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct restore;

/* What came with the store that was restored last (advice.h has the lines for people). */
struct restore_advice {
    struct census census;
    char *created;  /* when the snapshot was taken, RFC 3339; NULL: nothing was restored yet */
    bool kept;      /* the policies in it keep points for ever from now on */
    bool unread;    /* its meta.db was not understood */
    char **damaged; /* TSM files whose header or footer is damaged, in words */
    size_t ndamaged;
};

struct restore_options {
    const struct store_paths *paths; /* copied; the folders need not exist */
    uid_t uid; /* who owns restored files; (uid_t)-1: the owner of the folder that is replaced, */
    gid_t gid; /* else user influxdb where there is one. Without root's rights: this process */

    /* running_uses() of store/influx/running.h: 0, or -EBUSY while influxd uses the store. NULL:
     * never asked, nor which folders influxd uses (the mount option `force`). */
    int (*in_use)(const struct store_paths *paths, struct err *e);

    /* Folder for `restore.log` and `restored.json`, borrowed during restore_open; -1: in memory. */
    int state_fd;

    /* Numbers are only collected, whatever the store holds, for the full snapshot that comes last;
     * they are gone with restore_close. Those that wait on disk are let be. */
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

/* Makes the room and finishes or undoes what a killed restore has left (install_recover); what was
 * done then is in the log. Errors, with words: -EBUSY: a half exchanged store that influxd uses;
 * -EBADMSG: a journal that cannot be read or does not fit these folders; others from the system.
 * Nothing was changed then. */
int restore_open(const struct restore_options *o, struct restore **out, struct err *e);

/* Every drop must have been freed. */
void restore_close(struct restore *r);

static inline void restore_closep(struct restore **r)
{
    restore_close(*r);
}

/* Whether a restore could begin now; to be asked when a file is opened for writing. -EBUSY: influxd
 * uses the store, another program restores it, or something is mounted below its folders; -EINVAL:
 * influxd uses other folders with this configuration (seen.h); -EXDEV: its folders cannot be
 * renamed (the lower layer of an overlay); -EEXIST: a meta/raft.db that is not ours; -EACCES,
 * -EROFS, … The reason is also in the log. */
int restore_may_begin(struct restore *r, struct err *e);

/* What of that needs no look at processes and makes nothing: -EBUSY if something is mounted below
 * the folders, with its name. */
int restore_check_mounts(const struct store_paths *paths, struct err *e);

/* Whether a restore of this store was cut off, and what becomes of it, in words in *what; empty:
 * no. Changes nothing. Errors: it cannot be known; -EBADMSG: its journal is damaged. */
int restore_look(const struct store_paths *paths, struct err *what, struct err *e);

/* The log: a line an event, each "RFC3339 text\n"; the reason of a refusal is the last line. The
 * descriptor is the room's, good until restore_close; read it with pread and fstat. Emptied when a
 * restore begins and it has grown past 8 MiB. */
int restore_log_fd(const struct restore *r);

/* What restore/status.json shows, as text with a newline at its end; the caller frees it. -ENOMEM.
 * {"state":"idle|receiving|verified|installing|restored|pending|refused","name":…,"id":…,
 *  "bytes":N,"total_bytes":N,"files":N,"total_files":N,"started":RFC3339|null,"ended":RFC3339|null,"error":text|null,
 *  "kept":[folder,…],"warnings":[text,…],"restores":N,
 *  "pending":[{"name":…,"number":N,"id":…,"parent":…,"waits_for":words},…]} */
int restore_status_json(struct restore *r, char **text);

/* The verified numbers that wait. The caller frees the list with restore_waiting_free. -ENOMEM. */
struct restore_waiting {
    char *name; /* as it was dropped */
    int64_t number;
    char *id, *parent; /* of snapshots */
    char *waits_for;   /* in words */
};
int restore_waiting(struct restore *r, struct restore_waiting **out, size_t *n);
void restore_waiting_free(struct restore_waiting *list, size_t n);

/* Removes them all. -EAGAIN: a restore is under way. */
int restore_forget_waiting(struct restore *r, struct err *e);

/* Lets go what is only kept for a while; to be called every few seconds. */
void restore_expire(struct restore *r);

/* Of the last restore; good until the next one, or restore_close: for who is alone in the room. */
const struct restore_advice *restore_advised(const struct restore *r);

/* How many restores have been committed since restore_open. */
uint64_t restore_count(struct restore *r);

#endif
