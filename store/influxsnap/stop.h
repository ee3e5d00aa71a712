/* SPDX-License-Identifier: MIT */
/* Ending early: SIGINT, SIGTERM and SIGHUP are noticed, and ask whatever is under way to end. */
#ifndef INFLUXFS_INFLUXSNAP_STOP_H
#define INFLUXFS_INFLUXSNAP_STOP_H

#include "store/snapshot/tarball.h"

#include <stdbool.h>

void snap_catch_signals(void);

/* Whether one has come. The argument is not used. */
bool snap_stopped(void *ctx);
extern const struct tarball_reader snap_reader; /* asks that */

#endif
