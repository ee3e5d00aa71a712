/* SPDX-License-Identifier: MIT */
/* status.json: the store, the last capture, the last error and success, the restore. Also the place
 * where the branches tell such things, from any thread. */
#ifndef INFLUXFS_FS_STATUS_H
#define INFLUXFS_FS_STATUS_H

#include "fs/fs.h"

/* Makes the file's node and fs->status. */
int status_new(struct fs *fs, struct node **out);
void status_free(struct status *s);

void status_failed(struct status *s, const char *what, const char *why);
void status_captured(struct status *s, const struct tarball *t);
void status_read_whole(struct status *s, const struct tarball *t);

/* A file of the given number whose text is made when it is opened; make returns memory that the
 * caller frees. Direct: its size is that of the text as of the question. */
int status_text_node(struct fs *fs, ino_t ino, mode_t mode, int (*make)(struct fs *fs, char **text),
                     struct node **out);

#endif
