/* SPDX-License-Identifier: MIT */
/* A member of a capture as a source of bytes. */
#ifndef INFLUXFS_POINTS_MEMBERSOURCE_H
#define INFLUXFS_POINTS_MEMBERSOURCE_H

#include "store/influx/source.h"
#include "store/snapshot/capture.h"

struct membersource {
    const struct capture *capture;
    size_t member;
    char *path;
    struct source source; /* its ctx is this struct, which therefore stays where it is */
};

/* The capture must outlive *s. 0 or -ENOMEM. */
int membersource_init(struct membersource *s, const struct capture *c, size_t member);
void membersource_clear(struct membersource *s);

#endif
