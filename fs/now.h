/* SPDX-License-Identifier: MIT */
/*
 * snapshots/now.tar and snapshots/now/NAME.tar: the store as it is, as a tar.
 *
 * now.tar is the instant of the process that looks (instant.h). The commands of one job would each
 * get another one: so the first look-up of a name takes a capture, and whoever uses that name
 * afterwards gets the same, until it is let go. A look-up does not prolong that, so that a crawler
 * pins nothing. A restore in between changes nothing of it: what was captured is held open.
 *
 * Each capture is a node of its own, all of a name under one st_ino, so that the kernel and the
 * tools may cache a node freely: it never changes. A late open of one that was let go gets ESTALE,
 * upon which the kernel looks again.
 *
 * snapshots/now/ lists the names that are held; snapshots/ does not list that folder, so that a
 * mirror of the numbers does not take them along.
 */
#ifndef INFLUXFS_FS_NOW_H
#define INFLUXFS_FS_NOW_H

#include "fs/fs.h"
#include "fs/instant.h"

/* Makes fs->instants and the folder snapshots/now/. */
int now_new(struct fs *fs);

/* Whether a look-up can find anything: no, while there is no store at all. */
bool now_listed(const struct fs *fs);
int now_lookup(struct request *r, const struct node *dir, struct node **out);

/* The folder of names, pinned. */
struct node *now_folder(struct fs *fs);

/* The instant of the process that asks, as a reference. An error is reported in status.json, as
 * one of `what`. */
int now_instant(struct request *r, const char *what, struct instant **out);

#endif
