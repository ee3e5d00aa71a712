/* SPDX-License-Identifier: MIT */
#include "store/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)64 << 10)

struct arena_chunk {
    struct arena_chunk *next;
    size_t n, cap;
    alignas(max_align_t) char bytes[];
};

void *arena_take(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    struct arena_chunk *c = a->chunks;
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + align - 1) / align * align;
    if (a->limit && n > a->limit - a->taken)
        return NULL;
    if (!c || n > c->cap - c->n) {
        const size_t cap = n > CHUNK ? n : CHUNK;
        c = calloc(1, sizeof(*c) + cap);
        if (!c)
            return NULL;
        c->cap = cap;
        c->next = a->chunks;
        a->chunks = c;
    }
    char *p = c->bytes + c->n;
    c->n += n;
    a->taken += n;
    return p;
}

char *arena_text(struct arena *a, const void *p, size_t n)
{
    char *text = arena_take(a, n + 1);
    if (text && n)
        memcpy(text, p, n);
    return text;
}

void arena_free(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        free(c);
    }
    *a = (struct arena){0};
}
