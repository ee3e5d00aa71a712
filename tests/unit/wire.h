/* SPDX-License-Identifier: MIT */
/* Messages of protobuf written by hand, so that a test does not lean on what it tests. */
#ifndef INFLUXFS_TESTS_WIRE_H
#define INFLUXFS_TESTS_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire {
    uint8_t b[4096];
    size_t n;
};

static inline void varint(struct wire *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        w->b[w->n++] = (uint8_t)(v | 0x80);
    w->b[w->n++] = (uint8_t)v;
}

static inline void number(struct wire *w, unsigned field, uint64_t v)
{
    varint(w, field << 3);
    varint(w, v);
}

static inline void bytes(struct wire *w, unsigned field, const void *p, size_t n)
{
    varint(w, field << 3 | 2);
    varint(w, n);
    memcpy(w->b + w->n, p, n);
    w->n += n;
}

static inline void text(struct wire *w, unsigned field, const char *s)
{
    bytes(w, field, s, strlen(s));
}

/* What each meta.db must have. */
static inline void header(struct wire *m)
{
    static const unsigned required[] = {1, 2, 3, 7, 8, 9};
    for (size_t i = 0; i < 6; i++)
        number(m, required[i], i);
}

#endif
