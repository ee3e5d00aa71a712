/* SPDX-License-Identifier: MIT */
/* Whether two blocks hold the same points, bit by bit. */
#ifndef INFLUXFS_TESTS_TSM_SAME_H
#define INFLUXFS_TESTS_TSM_SAME_H

#include "store/influx/tsmblock.h"

#include <string.h>

static inline bool tsm_same_value(enum value_type type, const union value *v, const char *vtext,
                                  const union value *w, const char *wtext)
{
    if (type == VALUE_BOOLEAN)
        return v->b == w->b;
    if (type != VALUE_STRING)
        return v->u == w->u;
    return v->s.len == w->s.len && memcmp(vtext + v->s.off, wtext + w->s.off, v->s.len) == 0;
}

static inline bool tsm_same(const struct tsmblock *a, const struct tsmblock *b)
{
    if (a->n != b->n || a->type != b->type)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->times[i] != b->times[i] ||
            !tsm_same_value(a->type, &a->values[i], a->strings, &b->values[i], b->strings))
            return false;
    return true;
}

#endif
