/* SPDX-License-Identifier: MIT */
/*
 * The thread that cuts and folds by itself: options every= and keep=.
 *
 * A cut is due when the newest one is as old as every= says, whichever process made it, so that a
 * new mount does not cut too early. When there are twice as many numbers as keep= says, the oldest
 * are folded. A failure is retried after a minute; its reason is logged once while it stays the
 * same.
 */
#ifndef INFLUXFS_FS_CUTTER_H
#define INFLUXFS_FS_CUTTER_H

#include "fs/fs.h"
#include "fs/status.h"

/* Makes fs->cutter, if the options ask for one. */
int cutter_start(struct fs *fs);
/* Ends the work under way. NULL is allowed. */
void cutter_stop(struct cutter *c);

/* What the thread did last. */
void cutter_get(struct cutter *c, struct report_timer *out);

#endif
