/* SPDX-License-Identifier: MIT */
/*
 * restore/: files that are copied here are restored (store/restore/upload.h).
 *
 * The tree here is in memory: names, modes, owners, times and user.* attributes are accepted and
 * remembered, the bytes go to the store's drop. A file stays visible for a while after its last
 * use, for the late chmod, utimes and rename of its tool, and not longer, or rsync and rclone would
 * take the next restore of the same snapshot for done.
 */
#ifndef INFLUXFS_FS_DROPS_H
#define INFLUXFS_FS_DROPS_H

#include "fs/fs.h"

/* Makes the folder restore/ with its log and status.json, and fs->drops. */
int drops_new(struct fs *fs, struct node **out);
/* Ends what is under way. */
void drops_free(struct drops *d);

/* Removes the files whose time has come. */
void drops_expire(struct fs *fs);

#endif
