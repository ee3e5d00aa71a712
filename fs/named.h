/* SPDX-License-Identifier: MIT */
/*
 * snapshots/now/NAME.tar: the store at one instant, under a name that the user chooses.
 *
 * now.tar belongs to the process that looks at it, so the commands of one job may each get another
 * instant. Here the first look-up of a name takes a capture, and whoever uses that name afterwards
 * gets the same one: as long as somebody has it open, for ten minutes after it was taken, and for
 * ten minutes after the last close. A look-up does not prolong it, so that a crawler pins nothing.
 * Then the timer (timer.h) lets it go: a late open gets ESTALE, upon which the kernel looks again,
 * and the name stands for the store as it is then, as another file of the same st_ino.
 *
 * A restore in between changes nothing of that: what was captured is held open.
 *
 * The folder lists the names that are held; snapshots/ does not list the folder, so that a mirror
 * of the numbers does not take them along.
 */
#ifndef INFLUXFS_FS_NAMED_H
#define INFLUXFS_FS_NAMED_H

#include "fs/fs.h"

/* How many names may be held at once; one more is -EAGAIN, with the reason in status.json, since
 * letting go of another one would break somebody's job. */
#define NAMED_MAX 64

int named_new(struct fs *fs);
/* Lets go of every capture: nothing is open any more. Its nodes may be freed after that. */
void named_drop_all(struct named *n); /* NULL is allowed */
void named_free(struct named *n);     /* after its nodes; NULL is allowed */

/* The folder, pinned. */
struct node *named_folder(struct fs *fs);

/* Lets go of the captures whose time has come. */
void named_expire(struct named *n);

/* How many captures are held. */
size_t named_held(struct named *n);

#endif
