/* SPDX-License-Identifier: MIT */
/* What restore/ says of itself: restore/log, readable while a restore runs, and
 * restore/status.json. */
#ifndef INFLUXFS_FS_REPORTS_H
#define INFLUXFS_FS_REPORTS_H

#include "fs/fs.h"

/* Make the nodes; each has one pin, for the folder that lists them. */
int report_log(struct fs *fs, struct node **out);
int report_status(struct fs *fs, struct node **out);

#endif
