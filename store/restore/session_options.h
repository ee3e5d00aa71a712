/* SPDX-License-Identifier: MIT */
/* The options of a restore session. */
#ifndef INFLUXFS_RESTORE_SESSION_OPTIONS_H
#define INFLUXFS_RESTORE_SESSION_OPTIONS_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <sys/types.h>

struct translator;

struct session_options {
    const struct store_paths *paths; /* copied; the folders need not exist */

    /* The owner of restored files; (uid_t)-1: the owner of the replaced folder, else user influxdb
     * if there is one. Without root's rights: this process. */
    uid_t uid;
    gid_t gid;

    /* running_uses() of store/influx/running.h: 0, or -EBUSY while influxd uses the store. NULL
     * (the mount option `force`): neither this nor influxd's folders are checked. */
    int (*in_use)(const struct store_paths *paths, struct err *e);

    /* Folder for `restore.log` and `restored.json`, borrowed during session_open; -1: in memory. */
    int state_fd;

    /* Increments are only collected, whatever the store holds, for the full snapshot that comes
     * last; session_close drops them. Those that wait on disk are left alone. */
    bool collect;

    /* In the restored meta.db, policies whose shards retention would delete at influxd's first
     * check get points for ever. */
    bool keep_expired;

    /* Reads something else as a snapshot (translator.h); must outlive the session. NULL: uploads
     * are snapshots. */
    const struct translator *translator;

    /* Called without locks, in the restoring thread, once another store is in the folders:
     * descriptors of the old ones must be reopened. May be NULL. */
    void (*restored)(void *arg);

    /* Called without locks with what an operator should look at although nothing failed: unknown
     * things in side folders, which a restore does not remove, and labels that it cannot set. The
     * log has it too. May be NULL. */
    void (*notice)(void *arg, const char *text);
    void *arg;
};

#endif
