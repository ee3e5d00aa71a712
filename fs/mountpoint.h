/* SPDX-License-Identifier: MIT */
/* The folder that is mounted on. */
#ifndef INFLUXFS_FS_MOUNTPOINT_H
#define INFLUXFS_FS_MOUNTPOINT_H

#include "store/base/err.h"

/* Gives the mountpoint's absolute path, which the caller frees, and makes sure that it can be used.
 * What a killed influxfs left mounted there is unmounted. -EBUSY: something else is mounted there;
 * -ENOTDIR, -ENOENT. */
int mountpoint_prepare(const char *path, char **out, struct err *e);

#endif
