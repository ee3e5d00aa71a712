/* SPDX-License-Identifier: MIT */
/* The thread that lets go, once a second, of captures and dropped files whose time has come. It is
 * started by the main thread, which serves the mount. */
#ifndef INFLUXFS_FS_TIMER_H
#define INFLUXFS_FS_TIMER_H

#include "fs/fs.h"

struct timer;

int timer_start(struct fs *fs, struct timer **out);
void timer_stop(struct timer *t); /* NULL is allowed */

#endif
