/* SPDX-License-Identifier: MIT */
#include "store/base/buffer.h"

#include <stdlib.h>

bool buffer_grow(struct buffer *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 4096;
    while (n >= cap - b->n)
        cap *= 2;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buffer_free(struct buffer *b)
{
    free(b->p);
    *b = (struct buffer){0};
}
