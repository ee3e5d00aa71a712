/* SPDX-License-Identifier: MIT */
/* Sorted streams side by side: which of them has the least key, and of equal ones the least
 * number. One thread at a time. */
#ifndef INFLUXFS_POINTS_KEYHEAP_H
#define INFLUXFS_POINTS_KEYHEAP_H

#include "store/influx/serieskey.h"

struct keyheap_item {
    struct slice key; /* not owned */
    size_t number;    /* of the stream */
};

struct keyheap {
    struct keyheap_item *items; /* the first is the least */
    size_t n;
};

/* Room for this many streams. 0 or -ENOMEM. */
int keyheap_init(struct keyheap *h, size_t room);
void keyheap_free(struct keyheap *h);

void keyheap_add(struct keyheap *h, struct slice key, size_t number);

/* The next key of the least one's stream; key.p NULL: it has ended. */
void keyheap_move(struct keyheap *h, struct slice key);

#endif
