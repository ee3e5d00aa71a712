/* SPDX-License-Identifier: MIT */
/*
 * A unit of systemd that runs influxd (--stop=UNIT): stopped while its store is exchanged, and started
 * again if it was at work before, or if a fetch that was killed has left it stopped (fetch_stopped.h).
 */
#ifndef INFLUXFS_NIGHTLY_FETCH_SERVICE_H
#define INFLUXFS_NIGHTLY_FETCH_SERVICE_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>

struct fetch_service {
    const char *unit;  /* NULL: nothing is stopped */
    const char *state; /* folder, in which that is noted; NULL: nowhere */
    bool was_active;   /* it was, and has been told to stop */
};

/* Whether it names one unit: systemctl(1) takes patterns, and would start none by them. */
bool fetch_service_is_unit(const char *unit);

/* Stops the unit, and waits until no influxd uses the store any more. -EBUSY: one still does, which the
 * unit did not run, or which does not end; -EINTR: told to stop meanwhile; others, with a message: systemctl
 * could not do it. */
int fetch_service_stop(struct fetch_service *s, const struct store_paths *p, struct err *e);

/* Starts it again if it was active; does nothing the second time. -errno with a message. If this program is
 * to stop, systemd is not waited for: it may wait for the end of this program. */
int fetch_service_start(struct fetch_service *s, struct err *e);

#endif
