/* SPDX-License-Identifier: MIT */
/* snapshots/: now.tar, and base.tar and the numbers of the cuts that there are, by whichever
 * process they were made. */
#ifndef INFLUXFS_FS_NUMBERS_H
#define INFLUXFS_FS_NUMBERS_H

#include "fs/fs.h"

/* Makes the folder and keeps it. */
int numbers_new(struct fs *fs, struct node **out);

#endif
