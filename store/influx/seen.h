/* SPDX-License-Identifier: MIT */
/*
 * The folders that influxd used when it was last seen running with a configuration file.
 *
 * Its unit or environment may set other folders than the file (INFLUXDB_DATA_DIR and others). Only
 * /proc shows them, while influxd runs; a restore needs it stopped. So they are kept in
 * STATE/influxd.json. A store given as a folder has no configuration, and nothing is kept.
 */
#ifndef INFLUXFS_INFLUX_SEEN_H
#define INFLUXFS_INFLUX_SEEN_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>

/* Looks for a running influxd and keeps its folders. -EINVAL as running_mismatch. state: the state
 * folder as given, or NULL (state_folder). It is made if `make`, or to record a mismatch. If it is
 * not writable, nothing is kept. */
int seen_look(const struct store_paths *p, const char *state, bool make, struct err *e);

/* Whether a restore into these folders would reach the influxd that uses the file: looks as above,
 * then reads the record. state_fd: the state folder, -1: none. -EINVAL, with both folders in e:
 * influxd used others. */
int seen_check(const struct store_paths *p, int state_fd, struct err *e);

#endif
