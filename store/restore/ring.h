/* SPDX-License-Identifier: MIT */
/* A bounded ring of bytes between a writer and a reader. Its owner's lock guards it. */
#ifndef INFLUXFS_RESTORE_RING_H
#define INFLUXFS_RESTORE_RING_H

#include <stddef.h>

struct ring {
    char *buf;
    size_t cap, at, used; /* used includes what is lent */
    size_t lent;
};

/* An empty ring of cap bytes; a ring that was in use keeps its memory. -ENOMEM. */
int ring_init(struct ring *r, size_t cap);
void ring_free(struct ring *r); /* as zeroed, which is empty and takes nothing */

/* Takes as many of n bytes as there is room for: their number. */
size_t ring_put(struct ring *r, const void *buf, size_t n);

/* Lends the oldest bytes, at most max and only adjacent ones, until ring_release, which drops them.
 * Returns their number; 0: the ring is empty. */
size_t ring_lend(struct ring *r, size_t max, const void **out);
void ring_release(struct ring *r);

#endif
