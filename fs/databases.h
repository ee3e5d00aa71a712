/* SPDX-License-Identifier: MIT */
/*
 * databases/DB.tar: the store as it is, of each database a snapshot of its own.
 *
 * All files are of the instant of the process that looks (instant.h), as now.tar is, and the same
 * again while their database does not change (selected.h). Names are as in dump/ (dump_name.h). What
 * all databases of an instant need is prepared at the first look-up and lasts as long as one of its
 * nodes; it holds no file of the store. A tar is laid out at a look-up for its size, and again when it
 * is opened.
 */
#ifndef INFLUXFS_FS_DATABASES_H
#define INFLUXFS_FS_DATABASES_H

#include "fs/fs.h"

/* Makes fs->databases and the folder, which it keeps. -ENOMEM. */
int databases_new(struct fs *fs, struct node **out);
void databases_free(struct databases *d); /* after its nodes; NULL is allowed */

#endif
