/* SPDX-License-Identifier: MIT */
/* Follows the log of a restore session, for the files that are being unpacked. */
#ifndef INFLUXFS_INFLUXSNAP_LOGTAIL_H
#define INFLUXFS_INFLUXSNAP_LOGTAIL_H

#include "store/influxsnap/meter.h"

struct logtail {
    int fd; /* the session's */
    uint64_t at;
};

/* Skips what the log already holds. */
void logtail_begin(struct logtail *t, int fd);

/* Shows each file of a new "unpacking NAME (N bytes)". */
void logtail_follow(struct logtail *t, struct meter *to);

#endif
