/* SPDX-License-Identifier: MIT */
/* Who archives, and where: what the files of influxfs-archive share. */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_PLACE_H
#define INFLUXFS_NIGHTLY_ARCHIVE_PLACE_H

#include "mount-helper/nightly/archived.h"

struct archive_place {
    struct remote *remote;
    const char *format; /* of containers' names */
    const char *host;   /* this one */
    char store[STORE_ID + 1];
    int32_t day;  /* that is archived */
    bool dry_run; /* nothing on the remote is changed */
};

#endif
