/* SPDX-License-Identifier: MIT */
#include "store/restore/sidehash.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* Below this, waking another thread costs more than the sum. */
#define INLINE_MAX (32 << 10)

struct sidehash {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct sha256 *sum; /* the thread's while n != 0, else the caller's */
    const void *buf;
    size_t n;
    bool stop;
};

static void *hash_blocks(void *arg)
{
    struct sidehash *h = arg;
    pthread_mutex_lock(&h->lock);
    for (;;) {
        while (h->n == 0 && !h->stop)
            pthread_cond_wait(&h->changed, &h->lock);
        if (h->n == 0)
            break;
        pthread_mutex_unlock(&h->lock);
        sha256_add(h->sum, h->buf, h->n);
        pthread_mutex_lock(&h->lock);
        h->n = 0;
        pthread_cond_broadcast(&h->changed);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

int sidehash_new(struct sidehash **out)
{
    struct sidehash *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->sum = sha256_new();
    if (!h->sum) {
        free(h);
        return -ENOMEM;
    }
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    int r = -pthread_create(&h->thread, NULL, hash_blocks, h);
    if (r < 0) {
        sha256_free(h->sum);
        free(h);
        return r;
    }
    *out = h;
    return 0;
}

void sidehash_begin(struct sidehash *h)
{
    sidehash_wait(h);
    sha256_reset(h->sum);
}

void sidehash_add(struct sidehash *h, const void *buf, size_t n)
{
    sidehash_wait(h);
    if (n < INLINE_MAX) {
        sha256_add(h->sum, buf, n);
        return;
    }
    pthread_mutex_lock(&h->lock);
    h->buf = buf;
    h->n = n;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

void sidehash_wait(struct sidehash *h)
{
    pthread_mutex_lock(&h->lock);
    while (h->n)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void sidehash_end(struct sidehash *h, uint8_t sum[SHA256_BYTES])
{
    sidehash_wait(h);
    sha256_end(h->sum, sum);
}

void sidehash_free(struct sidehash *h)
{
    if (!h)
        return;
    sidehash_wait(h);
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    sha256_free(h->sum);
    free(h);
}
