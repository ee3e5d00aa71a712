/* SPDX-License-Identifier: MIT */
/* What influxsnap can tell of a store, mounted or not. */
#ifndef INFLUXFS_INFLUXSNAP_GATHER_H
#define INFLUXFS_INFLUXSNAP_GATHER_H

#include "store/influxsnap/snap.h"
#include "store/program/report.h"

/* Opens the store and gathers all; changes nothing. Cuts that may not be looked at are no error. The
 * caller clears *r, which borrows from s, also after an error. */
int gather_report(struct snap *s, struct report *r, struct err *e);

#endif
