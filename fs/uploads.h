/* SPDX-License-Identifier: MIT */
/*
 * restore/: files that are copied here are restored (store/restore/upload.h).
 *
 * The tree is in memory: names, modes, owners, times and user.* attributes are remembered; the
 * bytes go to the store's upload. A file stays visible for a while after its last use, for its
 * tool's late chmod, utimes and rename; any longer, and rsync and rclone would skip the next
 * restore of the same snapshot as done.
 */
#ifndef INFLUXFS_FS_UPLOADS_H
#define INFLUXFS_FS_UPLOADS_H

#include "fs/fs.h"

/* Makes the folder restore/ with its log and status.json, and fs->uploads. */
int uploads_new(struct fs *fs, struct node **out);
/* Ends the work under way. */
void uploads_free(struct uploads *u);

/* Removes the files whose time has come (lifetime.h). */
void uploads_expire(struct fs *fs);

#endif
