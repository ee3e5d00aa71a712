/* SPDX-License-Identifier: MIT */
/* Bytes that are appended to, text or binary; the memory grows as needed. Zeroed before its first
 * use. When memory runs out, bytes are missing and `failed` stays set: writers append without
 * checking, and the user of the bytes checks once. Appending even 0 bytes makes p non-NULL, unless
 * failed.
 *
 * A buffer that counts takes no bytes: n grows as if it did, and p stays what it is. So whoever only
 * wants to know the length of a text has it written into such a buffer. */
#ifndef INFLUXFS_BASE_BUFFER_H
#define INFLUXFS_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buffer {
    char *p; /* by malloc; not NUL-terminated */
    size_t n, cap;
    bool failed;
    bool counts;
};

/* Releases the memory; *b is then as new. */
void buffer_free(struct buffer *b);

/* Makes space for n + 1 more bytes; false, and sets failed, when out of memory. */
bool buffer_grow(struct buffer *b, size_t n);

/* Where to put the next n bytes; the caller then adds the number written to b->n. NULL: out of
 * memory. Not of a buffer that counts. */
static inline char *buffer_reserve(struct buffer *b, size_t n)
{
    if (__builtin_expect(n >= b->cap - b->n, 0) && !buffer_grow(b, n))
        return NULL;
    return b->p + b->n;
}

/* p may be NULL if n is 0. */
static inline void buffer_add(struct buffer *b, const void *p, size_t n)
{
    if (b->counts) {
        b->n += n;
        return;
    }
    char *to = buffer_reserve(b, n);
    if (!to || n == 0)
        return;
    memcpy(to, p, n);
    b->n += n;
}

static inline void buffer_string(struct buffer *b, const char *s)
{
    buffer_add(b, s, strlen(s));
}

#endif
