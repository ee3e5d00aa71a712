/* SPDX-License-Identifier: MIT */
/*
 * A unit of systemd that runs influxd (--stop=UNIT): stopped while its store is exchanged, and started
 * again if it was at work before, with those that went down with it.
 *
 * While they are down, the state folder remembers them (store/program/stopped.h), so that the next fetch
 * starts them if this one is killed.
 */
#ifndef INFLUXFS_NIGHTLY_FETCH_SERVICE_H
#define INFLUXFS_NIGHTLY_FETCH_SERVICE_H

#include "store/influx/paths.h"
#include "store/program/stopped.h"

#include <stdbool.h>

struct fetch_service {
    const char *unit;    /* NULL: nothing is stopped */
    bool was_active;     /* it was, and has been told to stop */
    struct stopped down; /* what is to be started, the unit first */
};

/* Stops the unit, and waits until no influxd uses the store any more. state: the state folder; NULL:
 * nothing is remembered. -EBUSY: an influxd still uses the store, which the unit did not run, or which does
 * not end; -EINTR: told to stop meanwhile; others, with a message: systemctl could not do it, or that it is
 * stopped could not be written down. */
int fetch_service_stop(struct fetch_service *s, const char *state, const struct store_paths *p,
                       struct err *e);

/* Starts again what was active, and looks for some seconds whether the unit stays so, where systemd can
 * tell; in a unit that is being stopped, waits for nothing. Does nothing the second time. -errno with a
 * message: the unit was not started. Others that were not are named in warnings. */
int fetch_service_start(struct fetch_service *s, const char *state, struct err *e);

/* Starts, without waiting, what a fetch that was killed has left stopped, unless another is at work, which
 * will. -errno with a message. */
int fetch_service_heal(const char *state, struct err *e);

#endif
