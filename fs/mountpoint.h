/* SPDX-License-Identifier: MIT */
/* The folder that is mounted on. */
#ifndef INFLUXFS_FS_MOUNTPOINT_H
#define INFLUXFS_FS_MOUNTPOINT_H

#include "store/base/err.h"
#include "store/influx/paths.h"

/* Gives the mountpoint's absolute path, which the caller frees, and makes sure that it can be used.
 * What a killed influxfs left mounted there is unmounted. -EBUSY: something else is mounted there;
 * -EINVAL: it lies within the store; -ENOTDIR, -ENOENT. */
int mountpoint_prepare(const char *path, const struct store_paths *store, char **out,
                       struct err *e);

#endif
