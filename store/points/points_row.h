/* SPDX-License-Identifier: MIT */
/* A row of points and its columns (points.h). */
#ifndef INFLUXFS_POINTS_POINTS_ROW_H
#define INFLUXFS_POINTS_POINTS_ROW_H

#include "store/influx/serieskey.h"
#include "store/influx/value.h"

#include <stdint.h>

/* By name; a tag behind a field of the same name, but before an unsigned one. */
struct points_column {
    struct slice name;
    bool is_tag;
    enum value_type type; /* of a field, for POINTS_ANSWER */
};

struct points_cell {
    bool present;
    enum value_type type; /* of a tag: string */
    union value value;
    const char *text; /* where a string begins (s.off counted in), value.s.len bytes */
};

/* Of a cell that is present and holds a string. */
static inline struct slice points_text(const struct points_cell *c)
{
    return (struct slice){c->text + c->value.s.off, c->value.s.len};
}

struct points_row {
    int64_t time;
    struct slice series;             /* its key as it is stored, with escapes */
    const struct points_cell *cells; /* one for each column */
};

#endif
