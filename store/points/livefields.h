/* SPDX-License-Identifier: MIT */
/* The fields that a running influxd shows although they no longer have any value: it keeps them in
 * the files fields.idx and fields.idxl, which no capture holds. */
#ifndef INFLUXFS_POINTS_LIVEFIELDS_H
#define INFLUXFS_POINTS_LIVEFIELDS_H

#include "store/points/schema.h"

/* Adds the fields that these files in a shard's folder list. A file that is missing or damaged adds
 * none, as influxd does not read it either. 0 or -ENOMEM. */
int livefields_read(const char *folder, struct schema *o);

#endif
