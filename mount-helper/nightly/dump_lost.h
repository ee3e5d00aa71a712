/* SPDX-License-Identifier: MIT */
/* Whether a store still has what a day's dumps were made of. Points that are not there may have been
 * deleted, which dumps follow, or lost with their shard, and then a dump may be all that is left. */
#ifndef INFLUXFS_NIGHTLY_DUMP_LOST_H
#define INFLUXFS_NIGHTLY_DUMP_LOST_H

#include "store/export/dump.h"
#include "store/points/shards.h"

/* Whether shards with files cover all of the times of a query; else retention has dropped some, or
 * there never were points. Errors as shards_range. */
int dump_lost_nothing(const struct shards *s, const struct dump_query *q, bool *yes, struct err *e);

#endif
