/* SPDX-License-Identifier: MIT */
/* Where a store may be mounted: apart from it, since a mount hides what lies below it, and a store
 * that holds its own mount would wait for itself. */
#ifndef INFLUXFS_INFLUX_MOUNTPLACE_H
#define INFLUXFS_INFLUX_MOUNTPLACE_H

#include "store/base/err.h"
#include "store/influx/paths.h"

/* The place that a path leads to, absolute and without links; the caller frees it. What is missing of
 * it, or is a mount whose daemon is dead, stays as it is written. -errno; -ENOENT: it is empty, or
 * goes up from a folder that is missing. */
int mountplace_find(const char *path, char **out);

/* Refuses a place that is, lies within, or is above one of the store's folders or the state folder
 * (as given, or NULL), or is above the configuration file, also if only a link of theirs leads
 * through it. -EINVAL, with the reason. */
int mountplace_check(const char *place, const struct store_paths *store, const char *state,
                     struct err *e);

#endif
