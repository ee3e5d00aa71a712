/* SPDX-License-Identifier: MIT */
/*
 * The thread that lets go, once a second, of captures, tars and views of cuts, dumps and uploads
 * whose time has come (lifetime.h); that looks once a minute which folders influxd uses (seen.h);
 * and that ends the mount upon SIGHUP, SIGINT or SIGTERM, unless they were ignored from the start.
 *
 * libfuse's own handlers end its loop at once, and requests that it has just read are lost. While
 * the kernel is being told something, it may wait for a folder that such a request has locked, for
 * ever. So here a signal only wakes this thread, the one that tells the kernel anything, and that
 * ends the loop.
 */
#ifndef INFLUXFS_FS_TIMER_H
#define INFLUXFS_FS_TIMER_H

#include "fs/fs.h"

struct timer;

/* Handles the signals, from now on and to the end of the process. */
int timer_catch_signals(void);

/* After that, by the main thread, which serves the mount. */
int timer_start(struct fs *fs, struct timer **out);
void timer_stop(struct timer *t); /* NULL is allowed */

#endif
