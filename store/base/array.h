/* SPDX-License-Identifier: MIT */
/* Arrays by malloc that grow as they are filled. */
#ifndef INFLUXFS_BASE_ARRAY_H
#define INFLUXFS_BASE_ARRAY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * Makes room for one more item in *list, which holds n items; NULL while it holds none.
 *
 *   if (!array_grow(&o->list, o->n))
 *       return -ENOMEM;
 *   o->list[o->n++] = item;
 *
 * false: out of memory, and nothing has changed. There is no capacity to keep: an array that grew
 * by this alone has room for the next power of two, so it moves when n is one. Items may be taken
 * out; what was allocated otherwise must not be passed. Freed with free.
 */
#define array_grow(list, n) array_grow_((list), (n), sizeof(**(list)))

static inline bool array_grow_(void *list, size_t n, size_t size)
{
    void *p;
    if (n & (n - 1))
        return true;
    memcpy(&p, list, sizeof(p));
    p = reallocarray(p, n ? n * 2 : 1, size);
    if (!p)
        return false;
    memcpy(list, &p, sizeof(p));
    return true;
}

/* Makes *buf, which has room for *cap bytes, one for at least n; what was in it is lost. Never NULL
 * then. false: out of memory, and *cap is 0. */
static inline bool array_renew(void *buf, size_t *cap, size_t n)
{
    void *p;
    memcpy(&p, buf, sizeof(p));
    if (p && n <= *cap)
        return true;
    free(p);
    p = malloc(n ? n : 1);
    memcpy(buf, &p, sizeof(p));
    *cap = p ? n : 0;
    return p;
}

#endif
