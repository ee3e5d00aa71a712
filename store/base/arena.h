/* SPDX-License-Identifier: MIT */
/* Memory for many small things that are released together. Zeroed before its first use. Untrusted
 * input gets a limit, so that a few bytes that claim much cannot take all memory. */
#ifndef INFLUXFS_BASE_ARENA_H
#define INFLUXFS_BASE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_chunk *chunks;
    size_t limit, taken; /* bytes that may be taken (0: any number), and that were */
};

/* n zeroed bytes, aligned for anything; NULL when out of memory, or beyond the limit. */
void *arena_take(struct arena *a, size_t n);

/* A copy of n bytes with a NUL after them; NULL as arena_take. */
char *arena_text(struct arena *a, const void *p, size_t n);

/* Releases all that was taken; *a is then as new. */
void arena_free(struct arena *a);

#endif
