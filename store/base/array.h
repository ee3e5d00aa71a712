/* SPDX-License-Identifier: MIT */
/* Arrays by malloc that grow as they are filled. */
#ifndef INFLUXFS_BASE_ARRAY_H
#define INFLUXFS_BASE_ARRAY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more item of this size in *list (a pointer to the array), which holds n and has room
 * for *cap: it doubles when it is full. false: out of memory, and nothing has changed. */
static inline bool array_room(void *list, size_t *cap, size_t n, size_t size)
{
    void *p;
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 1;
    memcpy(&p, list, sizeof(p));
    p = realloc(p, more * size);
    if (!p)
        return false;
    memcpy(list, &p, sizeof(p));
    *cap = more;
    return true;
}

#endif
