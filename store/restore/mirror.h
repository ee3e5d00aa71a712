/* SPDX-License-Identifier: MIT */
/*
 * A folder mirrored into another one of the same file system: with the same contents, owners, modes,
 * times and labels, without copying what nobody changes in place.
 *
 * Files are hard links; what influxd appends to or writes in place (written.h) is copied, so that
 * neither folder sees what happens in the other. Links, pipes and the like are linked as they are.
 * No link is followed.
 */
#ifndef INFLUXFS_RESTORE_MIRROR_H
#define INFLUXFS_RESTORE_MIRROR_H

#include "store/base/err.h"

#include <stdbool.h>
#include <sys/stat.h>

enum mirror_choice {
    MIRROR_ALL,   /* it, and what is in it */
    MIRROR_EMPTY, /* a folder without what is in it */
    MIRROR_NOT,
};

struct mirror {
    const char *name; /* of the folder, in a snapshot: "data" */
    int from, to;     /* `to` exists, and may hold other things; its attributes are the caller's */
    enum mirror_choice (*choose)(void *arg, const char *path, mode_t type); /* "data/db/rp/1" */
    void *arg;

    /* Labels of this folder or file could not be set; once at most. */
    void (*lacks)(void *arg, const char *path, const char *label, int code);
    bool told;
};

/* -errno, with the path in the message: -ENOSPC, … */
int mirror_run(struct mirror *m, struct err *e);

#endif
