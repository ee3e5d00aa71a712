/* SPDX-License-Identifier: MIT */
/* Bytes received out of order, by offset: ranges of a nameless sparse file. What is taken out is
 * punched from the file. Its owner's lock guards it. */
#ifndef INFLUXFS_RESTORE_SPOOL_H
#define INFLUXFS_RESTORE_SPOOL_H

#include "store/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct spool_range {
    uint64_t from, to;
};

struct spool {
    int (*open)(void *arg, struct err *e);
    void *arg;
    int fd;                     /* -1: none yet */
    struct spool_range *ranges; /* sorted, with gaps between them */
    size_t n;
};

/* open is called for the first bytes: gives a descriptor, which the spool takes over, or -errno
 * with a message. */
void spool_init(struct spool *s, int (*open)(void *arg, struct err *e), void *arg);
void spool_free(struct spool *s); /* empty again, as after spool_init */

/* Keeps the bytes, replacing those kept at these offsets. -errno with a message. */
int spool_put(struct spool *s, const void *buf, size_t n, uint64_t off, struct err *e);

/* Takes up to max bytes at off, if the first of all bytes lie there: their number, else 0, or
 * -errno with a message. */
long spool_take(struct spool *s, uint64_t off, void *buf, size_t max, struct err *e);

/* The offset of the first bytes at or after off; UINT64_MAX: none. */
uint64_t spool_next(const struct spool *s, uint64_t off);

/* Forgets what lies at or after size. */
void spool_truncate(struct spool *s, uint64_t size);

#endif
