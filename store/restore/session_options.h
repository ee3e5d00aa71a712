/* SPDX-License-Identifier: MIT */
/* What a restore session is opened with. */
#ifndef INFLUXFS_RESTORE_SESSION_OPTIONS_H
#define INFLUXFS_RESTORE_SESSION_OPTIONS_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <sys/types.h>

struct session_options {
    const struct store_paths *paths; /* copied; the folders need not exist */

    /* Who owns restored files; (uid_t)-1: the owner of the folder that is replaced, else user
     * influxdb where there is one. Without root's rights: this process. */
    uid_t uid;
    gid_t gid;

    /* running_uses() of store/influx/running.h: 0, or -EBUSY while influxd uses the store. NULL:
     * never asked, nor which folders influxd uses (the mount option `force`). */
    int (*in_use)(const struct store_paths *paths, struct err *e);

    /* Folder for `restore.log` and `restored.json`, borrowed during session_open; -1: in memory. */
    int state_fd;

    /* Increments are only collected, whatever the store holds, for the full snapshot that comes
     * last; they are gone with session_close. Those that wait on disk are let be. */
    bool collect;

    /* Policies whose shards retention would delete at influxd's first check are made to keep points
     * for ever, in the meta.db that is restored. */
    bool keep_expired;

    /* Called with no lock held, in the thread that restored, once another store lies in the
     * folders: descriptors of the old ones are to be opened anew. May be NULL. */
    void (*restored)(void *arg);

    /* Given, besides the log, what an operator is to look at although nothing failed: that
     * something was found in side folders which a restore does not remove. No lock is held. May be
     * NULL. */
    void (*notice)(void *arg, const char *text);
    void *arg;
};

#endif
