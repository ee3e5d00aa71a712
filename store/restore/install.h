/* SPDX-License-Identifier: MIT */
/*
 * A staged, verified and synced store takes the place of the present one in one step: a kill or a
 * power cut at any instant leaves it either not begun or to be finished.
 *
 *   1 influxd does not use the store, nothing is mounted below its folders, META holds no raft.db
 *   2 the journal says `prepared`
 *   3 the fence: META/raft.db, because of which influxd does not start (it is never read: [T] every
 *     influxd 1.x refuses to run while there is such a file)
 *   4 asked again: influxd has not begun to use the store meanwhile, nothing was mounted below it,
 *     and it is still what was built on
 *   5 the journal says `exchange`: up to here recovery undoes, from here it finishes
 *   6 the three folders are exchanged (exchange.h)
 *   7 the fence is removed: the commit
 *   8 what is not kept is deleted, then the journal: what the restore before kept, or with
 *     targets' `discard` what was replaced just now
 *
 * So whoever looks at the folders at any instant finds the old store, the new one, or a fence.
 */
#ifndef INFLUXFS_RESTORE_INSTALL_H
#define INFLUXFS_RESTORE_INSTALL_H

#include "store/base/err.h"
#include "store/influx/paths.h"
#include "store/restore/target.h"

/* Who is asked whether influxd uses the store: 0, or -EBUSY with a message. And, once influxd
 * cannot start any more, whether the store is still the one that was built on: 0 or an error, which
 * ends it. NULL: nobody. */
struct install_check {
    int (*in_use)(const struct store_paths *paths, struct err *e);
    const struct store_paths *paths;
    int (*still)(void *arg, struct err *e);
    void *arg;
};

/* Exchanges staging with the store. Needs targets_probe, _lock and _stage, and everything staged to
 * be on disk. On failure the store is as it was and the staging folders are removed, unless
 * t->half: then the exchange has begun and is finished by install_recover, behind the fence.
 * -EBUSY: influxd uses the store, or something is mounted below it; -EEXIST: a raft.db that is not
 * ours. In *note, what went wrong after the commit, which is no failure; empty otherwise. */
int install_run(struct targets *t, const struct install_check *c, const char *id, struct err *note,
                struct err *e);

/* Finishes or undoes what was cut off, and removes litter; what was done is in *done (empty:
 * nothing). Returns 0; 1 if another process is restoring this store, then nothing was looked at;
 * -EBUSY: it is to be finished, but influxd uses the store or something is mounted below it;
 * -EBADMSG: the journal is damaged. Litter in which something is mounted stays. Locks while it
 * works. */
int install_recover(struct targets *t, const struct install_check *c, struct err *done,
                    struct err *e);

/* Writes what install_recover would find to do into *what; empty: nothing, or litter only. Changes
 * nothing; locks for a moment if there is something. -EBADMSG: the journal is damaged. */
int install_look(struct targets *t, struct err *what, struct err *e);

#endif
