/* SPDX-License-Identifier: MIT */
#include "store/restore/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *r, size_t cap)
{
    if (!r->buf) {
        r->buf = malloc(cap);
        if (!r->buf)
            return -ENOMEM;
        r->cap = cap;
    }
    r->at = r->used = r->lent = 0;
    return 0;
}

void ring_free(struct ring *r)
{
    free(r->buf);
    *r = (struct ring){0};
}

size_t ring_put(struct ring *r, const void *buf, size_t n)
{
    size_t done = 0;
    if (n > r->cap - r->used)
        n = r->cap - r->used;
    while (done < n) {
        size_t to = (r->at + r->used) % r->cap;
        size_t k = n - done < r->cap - to ? n - done : r->cap - to;
        memcpy(r->buf + to, (const char *)buf + done, k);
        r->used += k;
        done += k;
    }
    return done;
}

size_t ring_lend(struct ring *r, size_t max, const void **out)
{
    size_t n = r->used < r->cap - r->at ? r->used : r->cap - r->at;
    r->lent = n < max ? n : max;
    *out = r->buf + r->at;
    return r->lent;
}

void ring_release(struct ring *r)
{
    if (r->cap)
        r->at = (r->at + r->lent) % r->cap;
    r->used -= r->lent;
    r->lent = 0;
}
