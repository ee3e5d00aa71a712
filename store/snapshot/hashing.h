/* SPDX-License-Identifier: MIT */
/* The sum of one member while it is made, piece by piece. Any thread may go on with it, one at a
 * time. */
#ifndef INFLUXFS_SNAPSHOT_HASHING_H
#define INFLUXFS_SNAPSHOT_HASHING_H

#include "store/snapshot/capture.h"

#define HASHING_PIECE ((size_t)256 << 10)

struct hashing {
    struct capture *capture;
    size_t member;      /* a file */
    uint64_t off;       /* how far its sum has come */
    struct sha256 *sha; /* made when it is needed; serves one member after another */
};

void hashing_clear(struct hashing *g);

/* Adds the next piece of the member's bytes, up to byte `limit`; buf is of HASHING_PIECE bytes. 1: that
 * was the last, and the capture has the sum, and knows whether the member is damaged. 0: there are more.
 * Errors as capture_read; -ENOMEM. */
int hashing_go_on(struct hashing *g, char *buf, uint64_t limit, struct err *e);

#endif
