/* SPDX-License-Identifier: MIT */
/* One series in one shard as a stream of rows: its fields' cursors side by side. */
#ifndef INFLUXFS_POINTS_SERIES_H
#define INFLUXFS_POINTS_SERIES_H

#include "store/points/columns.h"
#include "store/points/measurement.h"

struct series_field {
    struct cursor *cursor;
    size_t column;
};

struct series {
    struct slice key;
    size_t nfields;
    struct series_field *fields;
    size_t ncells;
    struct points_cell *cells; /* those of tags stay as they are */
    char *tags;                /* their text */
    const struct columns *columns;
    bool done;
    int64_t time; /* of the row at hand */
};

/* Makes the series of which fields i and following of the measurement are, and moves *i behind
 * them. Cells have the types of the columns (convert), or their own. 0 or -ENOMEM. */
int series_init(struct series *s, struct measurement *m, size_t *i, const struct columns *c,
                bool convert);

/* Moves to the first row, or to the next. Errors as cursor_first. */
int series_first(struct series *s, struct err *e);
int series_next(struct series *s, struct err *e);

/* The order in which influxd merges rows: by time, then by the cells as long as both are strings.
 */
bool series_less(const void *a, const void *b, void *ctx);

/* Also releases what its cursors hold. */
void series_clear(struct series *s);

#endif
