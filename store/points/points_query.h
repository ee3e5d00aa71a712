/* SPDX-License-Identifier: MIT */
/* Which points of a measurement are asked for (points.h). */
#ifndef INFLUXFS_POINTS_POINTS_QUERY_H
#define INFLUXFS_POINTS_POINTS_QUERY_H

#include "store/points/gaps.h"
#include "store/snapshot/tarball.h"

enum points_way { POINTS_ANSWER, POINTS_ALL };

struct points_query {
    const char *db, *rp;
    struct slice measurement; /* as users write it */
    int64_t from, to;         /* nanoseconds since 1970; from <= time < to */
    enum points_way way;
    const struct gaps *gaps;             /* may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
};

#endif
