/* SPDX-License-Identifier: MIT */
/* Points as text that tells all of them, for the tests that compare some. */
#ifndef INFLUXFS_TESTS_POINTS_TEXT_H
#define INFLUXFS_TESTS_POINTS_TEXT_H

#include "store/points/points.h"
#include "tests/unit/snap.h"

#include <inttypes.h>

/* "TIME COLUMN=VALUE…" and a newline; numbers as the bits that they have. */
static inline void put_row(struct buffer *out, const struct points *p, const struct points_row *row)
{
    buffer_text(out, "%" PRId64, row->time);
    for (size_t i = 0; i < points_columns(p); i++) {
        const struct points_cell *c = &row->cells[i];
        const struct slice name = points_column(p, i)->name;
        if (c->present && c->type == VALUE_STRING)
            buffer_text(out, " %.*s='%.*s'", (int)name.n, name.p, (int)points_text(c).n,
                        points_text(c).p);
        else if (c->present)
            buffer_text(out, " %.*s=%" PRIx64, (int)name.n, name.p,
                        c->type == VALUE_BOOLEAN ? c->value.b : c->value.u);
    }
    buffer_text(out, "\n");
}

#endif
