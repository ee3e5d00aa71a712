/* SPDX-License-Identifier: MIT */
/* The branches of the root that are fixed folders: plain nodes (node_new) that last as long as the
 * mount. */
#ifndef INFLUXFS_FS_BRANCHES_H
#define INFLUXFS_FS_BRANCHES_H

#include "fs/fs.h"

/* Each makes its folder and keeps it. -ENOMEM. */
int live_new(struct fs *fs, struct node **out);    /* live/ */
int snapdir_new(struct fs *fs, struct node **out); /* snapshots/ */
int at_new(struct fs *fs, struct node **out);      /* at/ */

/* For the operations of fixed folders. Mode 0755; the time of the mount, or of the newest cut for a
 * NODE_CUTS_FOLDER. */
int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st);

#endif
