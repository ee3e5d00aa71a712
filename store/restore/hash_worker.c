/* SPDX-License-Identifier: MIT */
#include "store/restore/hash_worker.h"

#include "store/base/worker.h"

#include <errno.h>
#include <stdlib.h>

/* Below this, waking another thread costs more than hashing. */
#define INLINE_MAX (32 << 10)

struct hash_worker {
    struct worker *worker;
    struct sha256 *sum; /* the worker's while n != 0, else the caller's */
    const void *buf;
    size_t n;
};

static int64_t hash_block(struct worker *w, void *arg)
{
    struct hash_worker *h = arg;
    if (h->n) {
        worker_unlock(w);
        sha256_add(h->sum, h->buf, h->n);
        worker_lock(w);
        h->n = 0;
        worker_wake(w);
    }
    return WORKER_SLEEP;
}

int hash_worker_new(struct hash_worker **out)
{
    struct hash_worker *h = calloc(1, sizeof(*h));
    int r = h && (h->sum = sha256_new()) ? worker_start(hash_block, h, &h->worker) : -ENOMEM;
    if (r < 0)
        hash_worker_free(h);
    else
        *out = h;
    return r;
}

void hash_worker_begin(struct hash_worker *h)
{
    hash_worker_wait(h);
    sha256_reset(h->sum);
}

void hash_worker_add(struct hash_worker *h, const void *buf, size_t n)
{
    hash_worker_wait(h);
    if (n < INLINE_MAX) {
        sha256_add(h->sum, buf, n);
        return;
    }
    worker_lock(h->worker);
    h->buf = buf;
    h->n = n;
    worker_wake(h->worker);
    worker_unlock(h->worker);
}

void hash_worker_wait(struct hash_worker *h)
{
    worker_lock(h->worker);
    while (h->n)
        worker_wait(h->worker);
    worker_unlock(h->worker);
}

void hash_worker_end(struct hash_worker *h, uint8_t sum[SHA256_BYTES])
{
    hash_worker_wait(h);
    sha256_end(h->sum, sum);
}

void hash_worker_free(struct hash_worker *h)
{
    if (!h)
        return;
    worker_stop(h->worker);
    sha256_free(h->sum);
    free(h);
}
