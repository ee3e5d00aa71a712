/* SPDX-License-Identifier: MIT */
/* What the mount says of itself: status.json, status.html, metrics.prom, restore/log and
 * restore/status.json, readable while a restore runs; and .influxfs, by which jobs know that it is
 * the mount. */
#ifndef INFLUXFS_FS_REPORTS_H
#define INFLUXFS_FS_REPORTS_H

#include "fs/fs.h"

/* Each makes its node, with one pin for the folder that lists it. */
int report_status(struct fs *fs, struct node **out);
int report_marker(struct fs *fs, struct node **out);
int report_metrics(struct fs *fs, struct node **out);
int report_page(struct fs *fs, struct node **out);
int report_restore_log(struct fs *fs, struct node **out);
int report_restore_status(struct fs *fs, struct node **out);

#endif
