/* SPDX-License-Identifier: MIT */
/* at/: the whole store as it was at a cut, as one tar (cutfile.h) and as files to browse (view.h).
 * By number, as `latest`, and, not listed, by any time: the last cut at or before it. */
#ifndef INFLUXFS_FS_AT_H
#define INFLUXFS_FS_AT_H

#include "fs/fs.h"

/* Makes the folder and keeps it. */
int at_new(struct fs *fs, struct node **out);

#endif
