/* SPDX-License-Identifier: MIT */
/*
 * How long a thing is kept for those who use it: captures, tars of cuts, contents of dumps, views
 * and uploads. One rule, with a row of times for each kind of thing (lifetime.c): it is kept while
 * it is open, for some time after it was looked up, and for some time after its last close.
 *
 * Guarded by whoever has it.
 */
#ifndef INFLUXFS_FS_LIFETIME_H
#define INFLUXFS_FS_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

enum life_rule { LIFE_PROCESS, LIFE_NAME, LIFE_CUT_TAR, LIFE_DUMP, LIFE_VIEW, LIFE_UPLOAD };

struct lifetime {
    int64_t used_ns;   /* monotonic: when it was looked up */
    int64_t closed_ns; /* 0: nobody has closed it yet */
    unsigned open;
};

void lifetime_use(struct lifetime *l);
void lifetime_close(struct lifetime *l); /* after one of `open` */
bool lifetime_over(const struct lifetime *l, enum life_rule rule);

#endif
