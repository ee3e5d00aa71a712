/* SPDX-License-Identifier: MIT */
/*
 * influxsnap backup --format=portable|legacy FOLDER: the store as a set of `influxd backup`
 * (store/sets/madeset.h), in a folder that is made if it is missing.
 *
 * A further run writes a further set beside what lies there, as influxd does: a portable one under a
 * later time, a legacy one under the next number. Files appear whole or not at all, a portable set's
 * manifest last, and a legacy set's meta.NN; what a run has written is removed when it fails.
 */
#ifndef INFLUXFS_INFLUXSNAP_BACKUP_SET_H
#define INFLUXFS_INFLUXSNAP_BACKUP_SET_H

#include "store/influxsnap/snap.h"

/* Whether the options fit together. -EINVAL, with a message. */
int backup_set_check(const struct options *o, struct err *e);

/* Returns the exit code. */
int backup_set(struct snap *s);

#endif
