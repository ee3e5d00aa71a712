/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: properties that must hold, and a file that is in memory. */
#ifndef INFLUXFS_TESTS_FUZZ_H
#define INFLUXFS_TESTS_FUZZ_H

#include "store/influx/source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called by libFuzzer with exactly n bytes: a read behind them is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A result that may be: 0 or more without words, or one of the two errors with words. */
static inline void must_explain(int r, int error, const struct err *e)
{
    must(r >= 0 || r == error || r == -ENOMEM);
    must(r >= 0 ? !e->text[0] : e->text[0]);
    must(!strchr(e->text, '\n'));
}

/* Whether the n bytes at p lie within the size bytes at whole. */
static inline bool is_within(const void *p, size_t n, const void *whole, size_t size)
{
    uintptr_t a = (uintptr_t)p, b = (uintptr_t)whole;
    return a >= b && a - b <= size && n <= size - (a - b);
}

struct memory {
    const uint8_t *p;
    size_t n;
};

static inline int read_memory(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct memory *m = ctx;
    (void)e;
    must(off <= m->n && n <= m->n - off);
    if (n)
        memcpy(buf, m->p + off, n);
    return 0;
}

static inline struct source memory_source(struct memory *m)
{
    return (struct source){read_memory, m, m->n, "a file"};
}

/* Sums up what a callback was given, to be compared with what another reading gives. */
static inline void digest(uint64_t *sum, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        *sum = (*sum ^ b[i]) * UINT64_C(1099511628211);
    *sum = (*sum ^ n) * UINT64_C(1099511628211);
}

#endif
