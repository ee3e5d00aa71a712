/* SPDX-License-Identifier: MIT */
/* How long captures, tars of cuts, contents of dumps, views and uploads are kept. One rule, with a
 * row of times for each kind (lifetime.c): while it is open, for some time after a look-up, and for
 * some time after the last close. Guarded by its owner. */
#ifndef INFLUXFS_FS_LIFETIME_H
#define INFLUXFS_FS_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

enum life_rule {
    LIFE_PROCESS,
    LIFE_NAME,
    LIFE_CUT_TAR,
    LIFE_DUMP,
    LIFE_BACKUP,
    LIFE_VIEW,
    LIFE_UPLOAD,
    LIFE_SET
};

struct lifetime {
    int64_t used_ns;   /* monotonic: when it was looked up */
    int64_t closed_ns; /* 0: not closed yet */
    unsigned open;
};

void lifetime_use(struct lifetime *l);
void lifetime_close(struct lifetime *l); /* after one of `open` */
bool lifetime_over(const struct lifetime *l, enum life_rule rule);

#endif
