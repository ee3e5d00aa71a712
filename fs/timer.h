/* SPDX-License-Identifier: MIT */
/*
 * The thread that once a second releases captures, tars and views of cuts, dumps and uploads whose
 * time has come (lifetime.h), and tells the service manager how the mount stands (standing.h); once
 * a minute looks which folders influxd uses (seen.h); and ends the mount upon SIGHUP, SIGINT or
 * SIGTERM, unless they were ignored from the start.
 *
 * libfuse's own handlers end its loop at once and lose requests that it has just read. A thread
 * that notifies the kernel may wait for a folder locked by such a request, for ever. So a signal
 * here only wakes this thread, the one that notifies the kernel, and it ends the loop.
 */
#ifndef INFLUXFS_FS_TIMER_H
#define INFLUXFS_FS_TIMER_H

#include "fs/fs.h"

struct timer;

/* Handles the signals from now on, to the end of the process. */
int timer_catch_signals(void);

/* Called after that by the main thread, which serves the mount. */
int timer_start(struct fs *fs, struct timer **out);
void timer_stop(struct timer *t); /* NULL is allowed */

#endif
