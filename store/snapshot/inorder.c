/* SPDX-License-Identifier: MIT */
#include "store/snapshot/inorder.h"

#include "store/base/lock.h"

void inorder_init(struct inorder *o)
{
    *o = (struct inorder){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void inorder_clear(struct inorder *o)
{
    pthread_mutex_destroy(&o->lock);
}

/* The reader that goes on at off; else, as a new one, that which has not read for longest. */
static struct inorder_reader *inorder_find(struct inorder *o, uint64_t off)
{
    struct inorder_reader *oldest = o->readers;
    for (struct inorder_reader *r = o->readers; r < o->readers + INORDER_READERS; r++) {
        if (r->last && r->next == off)
            return r;
        if (r->last < oldest->last)
            oldest = r;
    }
    *oldest = (struct inorder_reader){0};
    return oldest;
}

static uint64_t more_trust(uint64_t ahead, size_t n)
{
    const uint64_t more = 2 * (ahead ? ahead : n);
    return more < INORDER_AHEAD ? more : INORDER_AHEAD;
}

bool inorder_read(struct inorder *o, size_t n, uint64_t off, uint64_t *from, uint64_t *to)
{
    if (n == 0)
        return false;
    lock_scope(&o->lock);
    struct inorder_reader *r = inorder_find(o, off);
    const bool known = r->last > 0;
    r->next = off + n;
    r->last = ++o->reads;
    if (!known)
        return false;
    r->ahead = more_trust(r->ahead, n);
    *from = r->told > r->next ? r->told : r->next;
    *to = r->next + r->ahead;
    /* Half of it at a time: not a little with each read. */
    if (*to < *from + r->ahead / 2)
        return false;
    r->told = *to;
    return true;
}
