/* SPDX-License-Identifier: MIT */
/* Hash tables (uthash) of structs that have hh and end in char key[]. */
#ifndef INFLUXFS_POINTS_KEYHASH_H
#define INFLUXFS_POINTS_KEYHASH_H

#include <stdlib.h>
#include <string.h>

/* hh.tbl is NULL in an item that could not be added: out of memory. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Makes and adds an item, zeroed except for its key of n bytes; item is NULL when out of memory.
 * Freed with free, after HASH_DEL. */
#define keyhash_add(table, bytes, n, item)                                                         \
    do {                                                                                           \
        (item) = calloc(1, sizeof(*(item)) + (n));                                                 \
        if (!(item))                                                                               \
            break;                                                                                 \
        memcpy((item)->key, (bytes), (n));                                                         \
        HASH_ADD_KEYPTR(hh, (table), (item)->key, (n), (item));                                    \
        if (!(item)->hh.tbl) {                                                                     \
            free(item);                                                                            \
            (item) = NULL;                                                                         \
        }                                                                                          \
    } while (0)

#endif
