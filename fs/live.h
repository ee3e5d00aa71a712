/* SPDX-License-Identifier: MIT */
/*
 * live/: the store's own files as they are now, read-only.
 *
 * A node is a path and the inode that stood there when it was looked up. Nothing is held open but
 * what users have open, so nothing is pinned by having been looked at. Each access goes down from
 * the configured folder by descriptors, following no link. What stands at the path by now and is
 * another inode gives ESTALE, and the kernel looks again.
 */
#ifndef INFLUXFS_FS_LIVE_H
#define INFLUXFS_FS_LIVE_H

#include "fs/fs.h"

/* Makes the folder live/ and keeps it. */
int live_new(struct fs *fs, struct node **out);

#endif
