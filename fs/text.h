/* SPDX-License-Identifier: MIT */
/* Files whose text is made when they are opened. */
#ifndef INFLUXFS_FS_TEXT_H
#define INFLUXFS_FS_TEXT_H

#include "fs/fs.h"

/* A node with one pin. make returns memory that is freed here. Its size is that of the text as of
 * the question; an open file keeps the text that it was opened with. */
int text_node_new(struct fs *fs, ino_t ino, mode_t mode, int (*make)(struct fs *fs, char **text),
                  struct node **out);

#endif
