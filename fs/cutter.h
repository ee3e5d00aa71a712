/* SPDX-License-Identifier: MIT */
/*
 * The thread that cuts and folds by itself: options every= and keep=.
 *
 * A cut is due when the newest one is as old as every= says, by whichever process it was made, so
 * that a new mount does not cut too early. When there are twice as many numbers as are to be kept
 * the oldest are folded. What fails is tried again in a minute; the reason is logged once for as
 * long as it stays the same.
 */
#ifndef INFLUXFS_FS_CUTTER_H
#define INFLUXFS_FS_CUTTER_H

#include "fs/fs.h"
#include "fs/status.h"

/* Makes fs->cutter, if the options ask for one. */
int cutter_start(struct fs *fs);
/* Ends what is under way. NULL is allowed. */
void cutter_stop(struct cutter *c);

/* What it did last. */
void cutter_get(struct cutter *c, struct report_timer *out);

#endif
