/* SPDX-License-Identifier: MIT */
/* SHA-256 on a worker thread, so that a block is hashed while it is written. Used by one thread at
 * a time. */
#ifndef INFLUXFS_RESTORE_HASH_WORKER_H
#define INFLUXFS_RESTORE_HASH_WORKER_H

#include "store/base/sha256.h"

struct hash_worker;

int hash_worker_new(struct hash_worker **out); /* -ENOMEM, -EAGAIN (no thread) */
void hash_worker_free(struct hash_worker *h);  /* NULL is allowed */

void hash_worker_begin(struct hash_worker *h); /* a new sum */

/* Adds the bytes, which must stay as they are until hash_worker_wait returns. */
void hash_worker_add(struct hash_worker *h, const void *buf, size_t n);
void hash_worker_wait(struct hash_worker *h);

void hash_worker_end(struct hash_worker *h, uint8_t sum[SHA256_BYTES]);

#endif
