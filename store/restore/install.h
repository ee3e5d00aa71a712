/* SPDX-License-Identifier: MIT */
/*
 * Replaces the store by a staged, verified and synced one in one step: after a kill or a power cut
 * at any instant it has either not begun or can be finished.
 *
 *   1 influxd does not use the store, nothing is mounted below its folders, META holds no raft.db
 *   2 the journal says `prepared`
 *   3 the fence: META/raft.db ([T] influxd 1.x never reads it, and refuses to start beside it)
 *   4 step 1 is checked again, and that the store is still the one that was built on
 *   5 the journal says `exchange`: up to here recovery undoes, from here it finishes
 *   6 the three folders are exchanged (exchange.h)
 *   7 the fence is removed: the commit
 *   8 what the previous restore kept is deleted (with targets' `discard`: what was just replaced),
 *     then the journal
 *
 * So at any instant the folders hold the old store, the new one, or a fence.
 */
#ifndef INFLUXFS_RESTORE_INSTALL_H
#define INFLUXFS_RESTORE_INSTALL_H

#include "store/base/err.h"
#include "store/influx/paths.h"
#include "store/restore/target.h"

/* in_use: 0, or -EBUSY with a message if influxd uses the store. And, once influxd cannot start any
 * more, whether the store is still the one that was built on: 0, or an error, which ends the
 * exchange. NULL: not asked. */
struct install_check {
    int (*in_use)(const struct store_paths *paths, struct err *e);
    const struct store_paths *paths;
    int (*still)(void *arg, struct err *e);
    void *arg;
};

/* Exchanges staging with the store. Needs targets_probe, _lock and _stage, and all that is staged
 * on disk. On failure the store is unchanged and staging is removed, unless t->half: then the
 * exchange has begun, and install_recover finishes it behind the fence. -EBUSY: influxd uses the
 * store, or something is mounted below it; -EEXIST: a raft.db that is not ours. *note: what went
 * wrong after the commit, which is no failure; else empty. */
int install_run(struct targets *t, const struct install_check *c, const char *id, struct err *note,
                struct err *e);

/* What came of it, where that is no error: *done says what was done (empty: nothing); or else why
 * nothing was. */
enum install_found {
    INSTALL_IN_ORDER,
    INSTALL_ELSEWHERE, /* another process restores this store: nothing was looked at */
    INSTALL_STUCK,     /* what is left cannot be removed, such as a mount; the store can be used */
    INSTALL_HIDDEN,    /* there is no permission to look */
};

/* Finishes or undoes what was cut off, and removes litter, except where something is mounted. Locks
 * meanwhile. One of enum install_found; -EBUSY: work is left, but influxd uses the store or something is mounted
 * below it; -EBADMSG: the journal is damaged. */
int install_recover(struct targets *t, const struct install_check *c, struct err *done,
                    struct err *e);

/* Writes what install_recover would do into *what; empty: nothing, or litter only. Changes nothing;
 * locks for a moment if there is something. 1: another process is restoring this store now.
 * -EBADMSG: the journal is damaged. */
int install_look(struct targets *t, struct err *what, struct err *e);

#endif
