/* SPDX-License-Identifier: MIT */
/* Follows the log of a restore session, for the files that it says are being unpacked. */
#ifndef INFLUXFS_INFLUXSNAP_LOGTAIL_H
#define INFLUXFS_INFLUXSNAP_LOGTAIL_H

#include <stdint.h>

struct logtail {
    int fd; /* the session's */
    uint64_t at;
};

/* Skips what the log already holds. */
void logtail_begin(struct logtail *t, int fd);

/* Calls tell for each "unpacking NAME (N bytes)" that was added. */
void logtail_follow(struct logtail *t, void (*tell)(void *arg, const char *name, uint64_t size),
                    void *arg);

#endif
