/* SPDX-License-Identifier: MIT */
/* What happened last: the branches tell it, status.json shows it. Safe in any thread. */
#ifndef INFLUXFS_FS_STATUS_H
#define INFLUXFS_FS_STATUS_H

#include "store/snapshot/tarball.h"

struct status;

struct status_event {
    int64_t at_ns; /* since 1970; 0: it has not happened */
    char what[64];
    char text[800];
};

struct texts {
    char **at;
    size_t n, cap;
};

struct status_capture {
    int64_t at_ns;
    struct catalog_record record;
    uint64_t bytes;
    size_t files;
    struct omissions left_out;
    struct texts links, damaged; /* TSM files that are not whole, in words; as far as is known */
};

struct status_now {
    struct status_event error, success;
    struct status_capture capture;
};

struct status *status_new(void); /* NULL when out of memory */
void status_free(struct status *s);

void status_failed(struct status *s, const char *what, const char *why); /* logged, too */
void status_captured(struct status *s, const struct tarball *t);
void status_read_whole(struct status *s, const char *what, const struct tarball *t);

/* A copy, which the caller clears. -ENOMEM. */
int status_get(struct status *s, struct status_now *out);
void status_now_clear(struct status_now *now);

#endif
