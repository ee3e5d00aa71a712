/* SPDX-License-Identifier: MIT */
/* The fields that a running influxd shows although they have no value any more: those of its
 * fields.idx and fields.idxl, which no capture holds. */
#ifndef INFLUXFS_POINTS_LIVEFIELDS_H
#define INFLUXFS_POINTS_LIVEFIELDS_H

#include "store/points/schema.h"

/* Adds those that the files in a shard's folder tell of. What is not there or no good, influxd does
 * not know either. 0 or -ENOMEM. */
int livefields_read(const char *folder, struct schema *o);

#endif
