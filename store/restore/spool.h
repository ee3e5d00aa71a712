/* SPDX-License-Identifier: MIT */
/*
 * Bytes that came before those in front of them: ranges of an unlinked sparse file, by offset. What
 * is taken out is punched from the file. Not locked: its owner's lock guards it.
 */
#ifndef INFLUXFS_RESTORE_SPOOL_H
#define INFLUXFS_RESTORE_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct spool_range {
    uint64_t from, to;
};

struct spool {
    int fd;                     /* -1: none yet */
    struct spool_range *ranges; /* sorted, apart from each other */
    size_t n, cap;
};

void spool_init(struct spool *s);
void spool_free(struct spool *s); /* empty again, as after spool_init */

/* Keeps the bytes; those that were there already at these offsets are replaced. s->fd must be a
 * file. -ENOSPC, -ENOMEM, … */
int spool_put(struct spool *s, const void *buf, size_t n, uint64_t off);

/* Takes out up to max bytes at off: how many, 0 if off lies in a gap, -errno. */
long spool_take(struct spool *s, uint64_t off, void *buf, size_t max);

/* Where the first bytes at or behind off are; UINT64_MAX: none. */
uint64_t spool_next(const struct spool *s, uint64_t off);

/* Forgets what lies at or behind size. */
void spool_truncate(struct spool *s, uint64_t size);

#endif
