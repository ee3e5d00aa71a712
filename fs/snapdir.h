/* SPDX-License-Identifier: MIT */
/* snapshots/: now.tar, and base.tar and the numbers of the cuts that there are, whichever process
 * made them. */
#ifndef INFLUXFS_FS_SNAPDIR_H
#define INFLUXFS_FS_SNAPDIR_H

#include "fs/fs.h"

/* Makes the folder and keeps it. */
int snapdir_new(struct fs *fs, struct node **out);

#endif
