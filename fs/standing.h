/* SPDX-License-Identifier: MIT */
/* How a mount stands, in one line, for the service manager: the store, the restore under way, the
 * last cut and the last snapshot read, and what is wrong. */
#ifndef INFLUXFS_FS_STANDING_H
#define INFLUXFS_FS_STANDING_H

#include "fs/fs.h"

void standing_line(struct fs *fs, struct err *line);

#endif
