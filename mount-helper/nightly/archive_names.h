/* SPDX-License-Identifier: MIT */
/*
 * Which names a legacy set can have in the folder of a day. They bear neither store nor run, and the
 * real `influxd restore` takes all sets of a folder for runs of one server: so only sets of one store
 * may lie there, and each further run gets the next NN.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_NAMES_H
#define INFLUXFS_NIGHTLY_ARCHIVE_NAMES_H

#include "mount-helper/nightly/archive_place.h"

/* The NN of the next set in place->day. -EEXIST: what lies there is of another store, or nobody's that is
 * known; -EBUSY: another run is under way there. */
int archive_names_next(const struct archive_place *place, unsigned *nn, struct err *e);

#endif
