/* SPDX-License-Identifier: MIT */
/* A bounded ring of bytes between a writer and a reader. Not locked: its owner's lock guards it. */
#ifndef INFLUXFS_RESTORE_RING_H
#define INFLUXFS_RESTORE_RING_H

#include <stddef.h>

struct ring {
    char *buf;
    size_t cap, at, used; /* used includes what is lent */
    size_t lent;
};

int ring_init(struct ring *r, size_t cap); /* -ENOMEM; made only once, later calls empty it */
void ring_free(struct ring *r);

/* Takes as many of n bytes as there is room for. */
size_t ring_put(struct ring *r, const void *buf, size_t n);

/* Lends at most max bytes that lie together; they stay until ring_release. */
size_t ring_lend(struct ring *r, size_t max, const void **out);
void ring_release(struct ring *r);

#endif
