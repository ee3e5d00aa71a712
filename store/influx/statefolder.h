/* SPDX-License-Identifier: MIT */
/* The state folder: where what is remembered of a store, and its cuts, are kept. */
#ifndef INFLUXFS_INFLUX_STATEFOLDER_H
#define INFLUXFS_INFLUX_STATEFOLDER_H

#include "store/influx/paths.h"

#include <stdbool.h>

/* Finds the folder: given, or `influxfs` beside the data folder. make: if it is not there it is
 * made, mode 0700; its parent must exist. *out is its absolute path, the caller's; where the folder
 * cannot be had it is what was tried, or NULL, and -errno is returned. */
int state_folder(const struct store_paths *paths, const char *given, bool make, char **out);

#endif
