/* SPDX-License-Identifier: MIT */
/* The thread that lets go, once a second, of captures and dropped files whose time has come. It is
 * started by the main thread, which serves the mount. */
#ifndef INFLUXFS_FS_TIMER_H
#define INFLUXFS_FS_TIMER_H

#include "fs/fs.h"

struct timer;

int timer_start(struct fs *fs, struct timer **out);

/* Once nothing serves the mount any more, or will. The thread may just be telling the kernel
 * something, and the kernel wait for a folder that some request has locked: so requests are
 * answered here until the thread has ended. NULL is allowed. */
void timer_stop(struct timer *t);

#endif
