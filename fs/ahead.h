/* SPDX-License-Identifier: MIT */
/* Reads ahead for a reader that goes through a file in order: another core reads the next piece
 * while the reader copies this one. Safe in any thread. */
#ifndef INFLUXFS_FS_AHEAD_H
#define INFLUXFS_FS_AHEAD_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

/* The largest piece, and the size of every buffer that is passed here. */
#define AHEAD_BYTES ((size_t)1 << 20)

struct ahead {
    pthread_mutex_t lock;
    char *buf;
    uint64_t off;   /* what is in buf */
    size_t len;     /* 0: nothing */
    uint64_t next;  /* where reading in order goes on */
    unsigned users; /* calls of ahead_take without their ahead_go_on yet */
    pthread_cond_t idle;
};

void ahead_init(struct ahead *a);
void ahead_clear(struct ahead *a); /* waits for the calls of ahead_go_on that are still to come */

/* If the n bytes at off were read ahead, exchanges *buf for the buffer that holds them and returns
 * n; else 0. Waits for a piece that is being read. Must be followed by one ahead_go_on. */
size_t ahead_take(struct ahead *a, char **buf, size_t n, uint64_t off);

/* Called once the reader has the n bytes at off. If the read was in order, reads the next n bytes,
 * unless read is NULL. A failure here is not reported: the reader's own read will meet it. */
void ahead_go_on(struct ahead *a, size_t n, uint64_t off,
                 ssize_t (*read)(void *ctx, void *buf, size_t n, uint64_t off), void *ctx);

#endif
