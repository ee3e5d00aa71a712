/* SPDX-License-Identifier: MIT */
/*
 * How series and rows of an answer are put down as bytes: compactly, and each row so that it can be
 * read by itself.
 *
 *   series   its number | number of fields | the column of each | { column of a tag | length | text }…
 *   row      place | delta | for each field a bit, whether it has a value | values
 *
 * place: that of the row's series. delta: from its time to that of the series' next row, in nanoseconds;
 * 0: it is the last. Numbers are varints (bytes.h), integers zigzag ones; floats have 8 bytes, booleans
 * 1; a text has its length before it. Byte order is the host's, since nothing of it outlives the process.
 */
#ifndef INFLUXFS_POINTS_ANSWER_CODE_H
#define INFLUXFS_POINTS_ANSWER_CODE_H

#include "store/base/buffer.h"
#include "store/points/series.h"

/* Append. Cells have their columns' types. */
void answer_put_series(struct buffer *to, uint32_t number, const struct series *s,
                       const struct columns *c);
void answer_put_row(struct buffer *to, uint64_t place, uint64_t delta); /* and then, */
void answer_put_values(struct buffer *to, const struct series *s);      /* of the current row */

/* Takes off what a row says before its values. false: these are not such bytes, as below. */
struct answer_row {
    uint64_t place, delta;
};
bool answer_take_row(struct slice *row, struct answer_row *out);

/* Takes off the number of a series. */
bool answer_take_number(struct slice *series, uint32_t *number);

/* Makes the cells of all columns from what is left of the two, with texts within these bytes; without
 * values, those of tags. */
bool answer_take_cells(const struct columns *c, struct slice series, const struct slice *values,
                       struct points_cell *cells);

#endif
