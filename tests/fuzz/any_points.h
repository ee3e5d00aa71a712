/* SPDX-License-Identifier: MIT */
/* Points of any bytes, for the targets that write them. */
#ifndef INFLUXFS_TESTS_ANY_POINTS_H
#define INFLUXFS_TESTS_ANY_POINTS_H

#include "store/influx/tsmblock.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

/* The bytes that are left, and all of them, of which strings are made. */
struct any {
    const uint8_t *p;
    size_t n;
    const uint8_t *all;
    size_t nall;
};

/* A number of up to eight bytes; 0 at the end. */
static inline uint64_t any_number(struct any *a, size_t bytes)
{
    uint64_t v = 0;
    for (; bytes && a->n; bytes--, a->n--)
        v = v << 8 | *a->p++;
    return v;
}

static inline union value any_value(struct any *a, enum value_type type, union value before,
                                    unsigned how)
{
    size_t bytes = how & 7 ? how & 7 : 8;
    uint64_t v = any_number(a, bytes);
    union value next = {.u = 0};
    if (type == VALUE_BOOLEAN) {
        next.b = v & 1;
    } else if (type == VALUE_STRING) {
        next.s.off = (uint32_t)(v % (a->nall + 1));
        next.s.len = (uint32_t)((v >> 8) % (a->nall - next.s.off + 1));
    } else if (type == VALUE_FLOAT) {
        next.u = before.u ^ v << (how & 8 ? 64 - 8 * bytes : 0);
    } else {
        next.u = how & 8 ? before.u - v : before.u + v;
    }
    return next;
}

/* Up to max points, one at least, in b, whose arrays have room; its strings are of `all`. Each is at
 * least `step` after the one before it, and the first at or after `from`. */
static inline void any_points(struct any *a, enum value_type type, size_t max, int64_t from,
                              uint64_t step, struct tsmblock *b)
{
    static char none[1];
    b->type = type;
    b->n = 0;
    b->strings = a->nall ? (char *)a->all : none;
    union value value = {.u = 0};
    unsigned control = 0;
    uint64_t later = 0;
    for (size_t again = 0; b->n < max && (b->n == 0 || a->n || again);) {
        if (again) { /* as the one before it */
            again--;
        } else {
            control = (unsigned)any_number(a, 2);
            later = any_number(a, control & 7);
            again = control >> 8 & 7 ? 0 : any_number(a, 1);
            value = any_value(a, type, value, control >> 3);
        }
        uint64_t gap = b->n ? later + step : later;
        if (gap < later || gap > (uint64_t)INT64_MAX - (uint64_t)from) {
            if (b->n)
                return;
            gap = 0;
        }
        from = (int64_t)((uint64_t)from + gap);
        b->times[b->n] = from;
        b->values[b->n++] = value;
    }
}

static inline bool any_nan(const struct tsmblock *b)
{
    for (size_t i = 0; b->type == VALUE_FLOAT && i < b->n; i++)
        if (isnan(b->values[i].f))
            return true;
    return false;
}

#endif
