/* SPDX-License-Identifier: MIT */
/*
 * A folder of its own, for files that need names:
 *
 *   TMPDIR/influxsnap-UID/HEX16.new/…      TMPDIR: the environment's, else /var/tmp
 *
 * What a killed process has left there goes when the next one makes a folder.
 */
#ifndef INFLUXFS_INFLUXSNAP_TEMPFOLDER_H
#define INFLUXFS_INFLUXSNAP_TEMPFOLDER_H

#include "store/base/err.h"

struct tempfolder;

/* An empty one, for this user alone. -EPERM: another user has the place; and others. */
int tempfolder_new(struct tempfolder **out, struct err *e);

/* Its descriptor, which the folder keeps. */
int tempfolder_fd(const struct tempfolder *t);

/* Removes it with all that is in it; warns if it stays. NULL is allowed. */
void tempfolder_free(struct tempfolder *t);

#endif
