/* SPDX-License-Identifier: MIT */
/* One series in one shard as a stream of rows: the cursors of its fields side by side. One thread
 * at a time. */
#ifndef INFLUXFS_POINTS_SERIES_H
#define INFLUXFS_POINTS_SERIES_H

#include "store/points/columns.h"
#include "store/points/measurement.h"
#include "store/points/stream_types.h"

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
    int64_t time;                              /* of the current row */
    size_t fields_room, cells_room, tags_room; /* series_set */
};

/* Makes *s, zeroed before its first use, one of a stream, without moving to a row; the memory of the
 * series before it is used again. Columns are the same each time; the stream's series must outlive
 * this one. convert: cells have their columns' types; else their own. 0 or -ENOMEM. */
int series_set(struct series *s, const struct stream_series *from, const struct columns *c,
               bool convert);

/* No row is before this time. */
int64_t series_bound(const struct series *s);

/* Releases what series_set made. */
void series_free(struct series *s);

/* Makes the series of field *i of the measurement from this and the following fields, and moves *i
 * past them. convert: cells have their columns' types; else their own. The measurement and the
 * columns must outlive the series. 0 or -ENOMEM. */
int series_init(struct series *s, struct measurement *m, size_t *i, const struct columns *c,
                bool convert);

/* Moves to the first row, or to the next; s->done if there is none. Errors as cursor_first. */
int series_first(struct series *s, struct err *e);
int series_next(struct series *s, struct err *e);

/* Whether influxd merges a row before another one of the same time: by the cells, n in each, as long
 * as both are strings. */
bool series_cells_less(const struct points_cell *a, const struct points_cell *b, size_t n);

/* Releases the series and the contents of its cursors. */
void series_clear(struct series *s);

#endif
