/* SPDX-License-Identifier: MIT */
/*
 * What has changed in a capture since an earlier snapshot, as a capture of its own: its tar is an
 * incremental snapshot. Or all of a capture, as the beginning of a chain.
 */
#ifndef INFLUXFS_SNAPSHOT_DELTA_H
#define INFLUXFS_SNAPSHOT_DELTA_H

#include "store/snapshot/capture.h"

/* Which of the members of whole go in (one flag for each), and what it says of itself. A reference
 * to whole is taken; origin and what it points to is copied. */
int delta_new(struct capture *whole, const bool *in, const struct capture_origin *origin,
              struct capture **out);

#endif
