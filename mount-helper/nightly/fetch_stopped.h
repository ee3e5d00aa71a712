/* SPDX-License-Identifier: MIT */
/*
 * Which unit a fetch has stopped and not started again so far, as the state folder remembers it in
 * stopped.json, so that the next fetch starts it if this one is killed, or systemd could not start it:
 *
 *   {"unit":UNIT|null}
 */
#ifndef INFLUXFS_NIGHTLY_FETCH_STOPPED_H
#define INFLUXFS_NIGHTLY_FETCH_STOPPED_H

#include "store/base/err.h"

#include <stdbool.h>

/* Whether it is this unit. A file that is damaged says nothing. */
bool fetch_stopped_is(const char *state, const char *unit);

/* Remembers the unit, durably; NULL: none is. Errors as of statefile.h. */
int fetch_stopped_note(const char *state, const char *unit, struct err *e);

#endif
