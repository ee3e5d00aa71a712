/* SPDX-License-Identifier: MIT */
/*
 * databases/DB.tar: the store as it is, of each database a snapshot of its own.
 *
 * A file is of the caller's instant of its database (parts.h), and the same again while that does not
 * change (selected.h). Names are as in dump/ (dump_name.h). A node stands for one state of a database
 * and holds nothing: its tar is laid out at a look-up, for its size, and again when it is opened.
 */
#ifndef INFLUXFS_FS_DATABASES_H
#define INFLUXFS_FS_DATABASES_H

#include "fs/fs.h"

/* Makes fs->databases and the folder, which it keeps. -ENOMEM. */
int databases_new(struct fs *fs, struct node **out);
void databases_free(struct databases *d); /* after its nodes; NULL is allowed */

#endif
