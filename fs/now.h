/* SPDX-License-Identifier: MIT */
/*
 * snapshots/now.tar and snapshots/now/NAME.tar: the store as it is, as a tar.
 *
 * now.tar is the instant of the process that looks (instant.h). The commands of one job would each
 * get another one; a name lets them share. Its first look-up takes a capture, and every user of
 * the name gets that capture until its release. A look-up does not prolong this, so a crawler pins
 * nothing. A restore changes nothing: what was captured is held open.
 *
 * Each capture has its own node, and all nodes of a name have one st_ino, so the kernel and tools
 * may cache freely. Opening a node after its release gives ESTALE, and the kernel looks again.
 *
 * snapshots/now/ lists the held names. snapshots/ does not list now/, so that a mirror of the
 * numbers does not copy it.
 */
#ifndef INFLUXFS_FS_NOW_H
#define INFLUXFS_FS_NOW_H

#include "fs/fs.h"
#include "fs/instant.h"

/* Makes fs->instants and the folder snapshots/now/. */
int now_new(struct fs *fs);

/* Whether a look-up can find anything: false while there is no store yet. A store that is gone is
 * listed, so that whoever reads it gets the error. */
bool now_listed(const struct fs *fs);
int now_lookup(struct request *r, const struct node *dir, struct node **out);

/* The folder of names, pinned. */
struct node *now_folder(struct fs *fs);

/* Who the calling process is, as a holder of instants. */
struct instant_holder now_caller(const struct request *r);

/* A reference to the instant of the calling process. Reports an error in status.json, as one of
 * `what`. */
int now_instant(struct request *r, const char *what, struct instant **out);

/* Holds that process's instant while a file made of it is open (instant_open): -ESTALE if the process
 * has another one by now. */
int now_hold(struct request *r, uint64_t instant, struct instant_hold **out);

#endif
