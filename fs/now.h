/* SPDX-License-Identifier: MIT */
/*
 * snapshots/now.tar: which capture whom.
 *
 * A process (a thread group) keeps the capture that its look-up got: for 60 s after that, as long
 * as it has it open, and for 10 s after its last close. Another process gets the store as it is
 * then. Each capture is a node of its own, all under one st_ino, so that the kernel and the tools
 * may cache a node freely: it never changes. A capture that nobody is bound to any more is let go
 * by the timer (timer.h); a late open of its node gets ESTALE, and the kernel looks again.
 *
 * A caller in another pid namespace is seen as process 0: it shares captures younger than 2 s.
 */
#ifndef INFLUXFS_FS_NOW_H
#define INFLUXFS_FS_NOW_H

#include "fs/fs.h"

int now_new(struct fs *fs);
/* Lets go of every capture: nothing is open any more. Its nodes may be freed after that. */
void now_drop_all(struct now *n);
void now_free(struct now *n); /* after its nodes */

/* Lets go of the captures whose time has come, and tells the kernel. Holds no lock while it does.
 */
void now_expire(struct now *n);

/* Whether a look-up can find anything: no, while there is no store at all. */
bool now_listed(const struct fs *fs);
int now_lookup(struct request *r, struct node **out);

/* The store as it is now, whoever asks; `what` is named in status.json if it cannot be had. The
 * caller owes one tarball_unref. */
int now_take(struct request *r, const char *what, struct tarball **out);

/* The capture that the caller's now.tar is made of, as a reference of its own. */
int now_capture(struct request *r, struct capture **out);

/* Another store lies in the folders: whoever has no capture open gets a new one. */
void now_restored(struct now *n);

/* How many captures are held. */
size_t now_held(struct fs *fs);

#endif
