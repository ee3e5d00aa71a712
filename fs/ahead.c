/* SPDX-License-Identifier: MIT */
#include "fs/ahead.h"

#include "store/base/lock.h"

#include <stdlib.h>

void ahead_init(struct ahead *a)
{
    *a = (struct ahead){.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};
}

void ahead_clear(struct ahead *a)
{
    pthread_mutex_lock(&a->lock);
    while (a->users)
        pthread_cond_wait(&a->idle, &a->lock);
    pthread_mutex_unlock(&a->lock);
    free(a->buf);
    pthread_cond_destroy(&a->idle);
    pthread_mutex_destroy(&a->lock);
}

size_t ahead_take(struct ahead *a, char **buf, size_t n, uint64_t off)
{
    lock_scope(&a->lock);
    size_t have = a->len == n && a->off == off ? n : 0;
    if (have) {
        char *full = a->buf;
        a->buf = *buf;
        *buf = full;
    }
    a->len = 0;
    a->users++;
    return have;
}

void ahead_go_on(struct ahead *a, size_t n, uint64_t off,
                 ssize_t (*read)(void *ctx, void *buf, size_t n, uint64_t off), void *ctx)
{
    lock_scope(&a->lock);
    if (read && a->next == off && a->len == 0 && (a->buf || (a->buf = malloc(AHEAD_BYTES)))) {
        ssize_t got = read(ctx, a->buf, n, off + n);
        a->off = off + n;
        a->len = got > 0 ? (size_t)got : 0;
    }
    a->next = off + n;
    if (--a->users == 0)
        pthread_cond_signal(&a->idle);
}
