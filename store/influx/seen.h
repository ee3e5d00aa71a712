/* SPDX-License-Identifier: MIT */
/*
 * Which folders influxd used when it was last seen running with a configuration file.
 *
 * Its unit or environment may set other folders than the file does (INFLUXDB_DATA_DIR and the
 * like). While it runs /proc tells; when it is stopped, as it must be for a restore, nothing does:
 * so what was seen is kept in STATE/influxd.json. A store that is given as a folder has no
 * configuration, and nothing is remembered.
 */
#ifndef INFLUXFS_INFLUX_SEEN_H
#define INFLUXFS_INFLUX_SEEN_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>

/* Looks for a running influxd and remembers its folders. -EINVAL as running_mismatch. state: the
 * state folder as it was given, or NULL (state_folder). It is made if `make`, or if there is a
 * mismatch, for that is to be remembered. Where it cannot be written to, nothing is. */
int seen_look(const struct store_paths *p, const char *state, bool make, struct err *e);

/* Whether a restore into these folders would reach the influxd that uses the file: looks as above,
 * then at what is remembered. state_fd: the state folder, -1: none. -EINVAL, with both folders in
 * e: it used others. */
int seen_check(const struct store_paths *p, int state_fd, struct err *e);

#endif
