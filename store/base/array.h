/* SPDX-License-Identifier: MIT */
/* Growing arrays by malloc, and a search for a place in a sorted one (bsearch(3) finds an item). */
#ifndef INFLUXFS_BASE_ARRAY_H
#define INFLUXFS_BASE_ARRAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Makes room for one more item in *list, which holds n items; *list is NULL while it holds none.
 *
 *   if (!array_grow(&o->list, o->n))
 *       return -ENOMEM;
 *   o->list[o->n++] = item;
 *
 * false: out of memory, and nothing has changed. No capacity is kept: an array that grew only by
 * this has room for the next power of two, and moves when n is one. Items may be removed. An array
 * that was allocated otherwise must not be passed. Freed with free.
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

/* Makes room for at least n items in *list, which has room for *cap and keeps its items, for arrays
 * that are filled again and again. false: out of memory, and nothing has changed. */
#define array_room(list, cap, n) array_room_((list), (cap), (n), sizeof(**(list)))

static inline bool array_room_(void *list, size_t *cap, size_t n, size_t size)
{
    void *p;
    if (n <= *cap)
        return true;
    size_t room = *cap ? *cap : 4;
    while (room < n)
        room = room > SIZE_MAX / 2 ? n : 2 * room;
    memcpy(&p, list, sizeof(p));
    p = reallocarray(p, room, size);
    if (!p)
        return false;
    memcpy(list, &p, sizeof(p));
    *cap = room;
    return true;
}

/* Makes room for at least n bytes in *buf, whose capacity is *cap; its contents are lost. *buf is
 * not NULL then. false: out of memory, and *cap is 0. */
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

/* The first of n items that is not before the key; n if all are. `before` must be true for all
 * items up to some place and false for the rest. Inline, so that the compiler sees through
 * `before`. */
static inline size_t array_bisect(const void *list, size_t n, size_t size, const void *key,
                                  bool (*before)(const void *item, const void *key))
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (before((const char *)list + middle * size, key))
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static inline bool array_is_up_to(const void *item, const void *key)
{
    return *(const uint64_t *)item <= *(const uint64_t *)key;
}

/* The last of n ascending numbers that is not above v; the first one must not be. */
static inline size_t array_bisect_last(const uint64_t *list, size_t n, uint64_t v)
{
    return array_bisect(list, n, sizeof(*list), &v, array_is_up_to) - 1;
}

#endif
