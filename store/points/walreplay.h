/* SPDX-License-Identifier: MIT */
/* The records of a shard's WAL in their order: what walcache.c and walranges.c read. One thread at a
 * time. */
#ifndef INFLUXFS_POINTS_WALREPLAY_H
#define INFLUXFS_POINTS_WALREPLAY_H

#include "store/influx/walentry.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

/* What to replay. */
struct walreplay_query {
    const struct capture *capture;
    const struct shard_files *shard;
    const struct slice *measurement;     /* escaped as in keys; NULL: the keys of all */
    struct slice from;                   /* series before this one are left out; p NULL: none */
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
};

struct walreplay_visitor {
    struct walentry_visitor records; /* its ctx is for `segment`, too */
    /* Those that follow are of segment i of the shard. */
    void (*segment)(void *ctx, size_t i);
};

/* Passes all that the segments hold to the visitor. Damage that the gaps allow is only told where `from`
 * is NULL: a replay from a series on follows one of all. Errors: as walread, -ENOMEM. */
int walreplay(const struct walreplay_query *q, const struct walreplay_visitor *v, struct err *e);

/* Whether a replay is for other keys than this one. What has no readable series may be of any
 * measurement, and is for a replay of all; it is a series by itself. */
bool walreplay_is_other(const struct walreplay_query *q, struct slice key, struct slice *series);

/* "wal/db/rp/1/_00001.wal", by malloc; NULL when out of memory. */
char *walreplay_path(const struct walreplay_query *q, size_t segment);

/* How many keys are replayed between two looks whether the reader still waits. */
#define WALREPLAY_UNINTERRUPTED 4096

#endif
