/* SPDX-License-Identifier: MIT */
/*
 * The thread that lets go, once a second, of captures, tars and views of cuts, dumps and uploads
 * whose time has come (lifetime.h); that looks once a minute which folders influxd uses (seen.h); and that ends
 * the mount when a signal says so (signals.h). It is started by the main thread, which serves the
 * mount.
 */
#ifndef INFLUXFS_FS_TIMER_H
#define INFLUXFS_FS_TIMER_H

#include "fs/fs.h"

struct timer;

/* After signals_catch. */
int timer_start(struct fs *fs, struct timer **out);
void timer_stop(struct timer *t); /* NULL is allowed */

#endif
