/* SPDX-License-Identifier: MIT */
/*
 * How series and rows of an answer are put down as bytes: compactly, and each row so that it can be
 * read by itself.
 *
 *   series   number of fields | the column of each | { column of a tag | length | text }…
 *   row      distance | delta | for each field a bit, whether it has a value | values
 *
 * distance: from the row's record back to that of its series. delta: from its time to that of the
 * series' next row, in nanoseconds; 0: it is the last. Numbers are varints (bytes.h), integers zigzag
 * ones; floats have 8 bytes, booleans 1; a text has its length before it. A record is its length in
 * 4 bytes, and these bytes. Byte order is the host's, since nothing of it outlives the process.
 */
#ifndef INFLUXFS_POINTS_ANSWER_CODE_H
#define INFLUXFS_POINTS_ANSWER_CODE_H

#include "store/base/buffer.h"
#include "store/points/series.h"

/* Append. Cells have their columns' types. */
void answer_put_series(struct buffer *to, const struct series *s, const struct columns *c);
void answer_put_values(struct buffer *to, const struct series *s); /* of the current row */
void answer_put_uvarint(struct buffer *to, uint64_t v);

/* What a row says before its values, which are the last `nvalues` bytes. */
struct answer_row {
    uint64_t distance, delta;
    size_t nvalues;
};

/* false: these are not such bytes. */
bool answer_take_row(struct slice row, struct answer_row *out);

/* Makes the cells of all columns, texts within these bytes. false: these are not such bytes. */
bool answer_take_cells(const struct columns *c, struct slice series, struct slice values,
                       struct points_cell *cells);

#endif
