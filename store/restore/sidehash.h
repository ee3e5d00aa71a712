/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 on a thread of its own, so that hashing a block and writing it take the longer of the two
 * times and not their sum. Used by one thread at a time.
 */
#ifndef INFLUXFS_RESTORE_SIDEHASH_H
#define INFLUXFS_RESTORE_SIDEHASH_H

#include "store/base/sha256.h"

struct sidehash;

int sidehash_new(struct sidehash **out); /* -ENOMEM, -EAGAIN (no thread) */

void sidehash_begin(struct sidehash *h); /* a new sum */

/* Adds the bytes, which must stay as they are until sidehash_wait returns. */
void sidehash_add(struct sidehash *h, const void *buf, size_t n);
void sidehash_wait(struct sidehash *h);

void sidehash_end(struct sidehash *h, uint8_t sum[SHA256_BYTES]);

void sidehash_free(struct sidehash *h); /* ends the thread; NULL is allowed */
static inline void sidehash_freep(struct sidehash **h)
{
    sidehash_free(*h);
}

#endif
