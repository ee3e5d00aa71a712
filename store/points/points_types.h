/* SPDX-License-Identifier: MIT */
/* Queries for points, and the rows that they give (points.h). */
#ifndef INFLUXFS_POINTS_POINTS_TYPES_H
#define INFLUXFS_POINTS_POINTS_TYPES_H

#include "store/influx/value.h"
#include "store/points/gaps.h"
#include "store/snapshot/tarball.h"

#include <stdatomic.h>

/* What queries have put down in files without a name, in any thread: bytes that these take now, and the
 * most so far; and the slices of time that were put down, in files or not. Zeros at first. */
struct points_spilled {
    atomic_uint_least64_t bytes, most, slices;
};

enum points_way { POINTS_ANSWER, POINTS_ALL };

struct points_query {
    const char *db, *rp;
    struct slice measurement; /* as users write it */
    int64_t from, to;         /* nanoseconds since 1970; from <= time < to */
    enum points_way way;
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
    size_t memory;                       /* budget in bytes; 0: POINTS_MEMORY */
    const char *folder;                  /* for a file without a name; NULL: io_temporary_folder */
    struct points_spilled *spilled;      /* may be NULL */
};

#define POINTS_MEMORY ((size_t)64 << 20)

/* Sorted by name; a tag stands after a field of its name, but before an unsigned one. */
struct points_column {
    struct slice name;
    bool is_tag;
    enum value_type type; /* of a field, for POINTS_ANSWER */
};

struct points_cell {
    bool present;
    enum value_type type; /* of a tag: string */
    union value value;
    const char *text; /* of a string: what value.s.off counts from */
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
    bool begins;                     /* POINTS_ALL: its series, or a resumed part of it */
};

#endif
