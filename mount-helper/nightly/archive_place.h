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
    const struct selection *part; /* of the store, a copy; NULL: the whole */
    int32_t day;                  /* that is archived */
    char made[RECEIPT_RUN + 1];   /* the run that is archived by now; "": not so far */
    bool undo;                    /* what this run has uploaded is taken back, since it failed */
    bool dry_run;                 /* nothing on the remote is changed */
    bool unlocked;                /* the store's lock could not be had: nothing is removed */
    bool *unclean; /* set once the remote refuses to remove what was left, which is then not tried
                    * again */
};

#endif
