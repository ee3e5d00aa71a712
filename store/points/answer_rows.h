/* SPDX-License-Identifier: MIT */
/*
 * The rows of series in a slice of time, put down a series at a time, and then read in one of two ways: by
 * time, and those of one time by the numbers of their series; or series by series, each moving from one of its
 * rows to the next, as whoever merges them asks.
 *
 *   { answer_rows_begin, answer_rows_put … } …, answer_rows_end,
 *   answer_rows_sort, answer_rows_least …  or  answer_rows_take, answer_rows_move …
 *
 * Rows are gathered in memory, as many as it takes, and put down sorted by time; so rows of about one time
 * lie together. Failures of the spill are told by answer_spill_check. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_ROWS_H
#define INFLUXFS_POINTS_ANSWER_ROWS_H

#include "store/base/buffer.h"
#include "store/influx/serieskey.h"
#include "store/points/answer_spill.h"

struct answer_rows;

/* Beside 8 bytes of the spill for each series, this many bytes of memory, and some 100 for each time that it
 * was full. The spill must outlive the result. 0 or -ENOMEM. */
int answer_rows_new(struct answer_spill *spill, size_t memory, struct answer_rows **out);
void answer_rows_free(struct answer_rows *r); /* NULL is allowed */

/* Forgets all rows, and says in which ways the next ones are to be read. */
#define ANSWER_ROWS_BY_TIME 1u   /* answer_rows_sort */
#define ANSWER_ROWS_BY_SERIES 2u /* answer_rows_take */
void answer_rows_clear(struct answer_rows *r, unsigned ways);

/* All series are begun, in the order of their numbers, from 0 on; they need not have rows. Each row of a
 * series is later than the one before: it is head and values, one after the other. 0 or -ENOMEM. */
void answer_rows_begin(struct answer_rows *r, uint32_t series);
int answer_rows_put(struct answer_rows *r, int64_t time, struct slice head, struct slice values);
int answer_rows_end(struct answer_rows *r);

uint64_t answer_rows_size(const struct answer_rows *r); /* bytes that were put so far */

/* Adds the bytes of the current row of a series to *to; *next is what moves it to the next one. -ENOENT: it
 * has none; -ENOMEM. */
int answer_rows_take(struct answer_rows *r, uint32_t series, struct buffer *to, uint64_t *next);
void answer_rows_move(struct answer_rows *r, uint32_t series, uint64_t next);

/* Makes ready to read the rows before a time by time, those of one time by series. 0 or -ENOMEM. */
int answer_rows_sort(struct answer_rows *r, int64_t end);

/* Adds the bytes of the next row to *to. 1; 0: there are no more; errors as answer_runs_next. */
int answer_rows_least(struct answer_rows *r, struct buffer *to, int64_t *time, uint32_t *series);

#endif
