/* SPDX-License-Identifier: MIT */
/*
 * The WAL of a shard for one walk through the series of a measurement, in their order: replayed a part at
 * a time, as much of it as the memory holds. A large one is put down by ranges of series (walranges.h)
 * where that costs less than to read the segments for each part.
 *
 *   struct walcache *part;
 *   int r = walfeed_open(&query, &f, e);
 *   while (r == 0 && (r = walfeed_next(f, (struct slice){NULL, 0}, &part, e)) == 1)
 *       r = use(part);
 *   walfeed_free(f);
 *
 * Where a processor is idle, the next part is made by a thread of its own while this one is used. The thread
 * ends as it has made the part; the part is given when it is asked for, and what there is to say of gaps is
 * said then. No more threads make parts, of all feeds, than there are processors.
 *
 * Memory: that of the query, for the parts and what is put down; a series of each at least, whatever that
 * takes. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_WALFEED_H
#define INFLUXFS_POINTS_WALFEED_H

#include "store/points/walcache.h"

struct walfeed_query {
    struct walreplay_query of;      /* of.measurement is set; of.from does not matter */
    size_t memory;                  /* bytes; 0: any number */
    const char *folder;             /* as in struct points_query */
    struct points_spilled *spilled; /* likewise */
};

struct walfeed;

/* What *q points to must outlive the feed. Nothing is read yet. 0 or -ENOMEM. */
int walfeed_open(const struct walfeed_query *q, struct walfeed **out);
void walfeed_free(struct walfeed *f); /* NULL is allowed */

/* 1 and the next part, whose series come after those of the part before; valid until the next call; 0:
 * there are no more. Least (p NULL: no matter): series before it are passed over, as far as that saves a
 * replay. Errors as walcache_open; after one, only walfeed_free is allowed. */
int walfeed_next(struct walfeed *f, struct slice least, struct walcache **out, struct err *e);

#endif
