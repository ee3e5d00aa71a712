/* SPDX-License-Identifier: MIT */
/* The state folder: where what is remembered of the store is kept. */
#ifndef INFLUXFS_FS_STATE_H
#define INFLUXFS_FS_STATE_H

#include "store/base/err.h"
#include "store/influx/paths.h"

struct state {
    char *path;       /* NULL: there is none that can be written to */
    struct err lacks; /* why, and what is missing without it; else empty */
};

/* Finds or makes the folder: given (state=), or `influxfs` beside the data folder, mode 0700. A
 * folder that cannot be had is no error. */
void state_open(const struct store_paths *paths, const char *given, struct state *out);
void state_close(struct state *s);

#endif
