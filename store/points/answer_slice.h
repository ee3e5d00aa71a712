/* SPDX-License-Identifier: MIT */
/*
 * A slice of time whose rows are put down, a series after the other. How much it holds is known only as it is
 * put down: when it becomes too much, it ends earlier, in the middle of the times seen so far. The next slice
 * is as long, or longer if there was room.
 *
 *   answer_slice_begin,
 *     for each series: rows with `answer_slice_note`, the first one after the slice with `answer_slice_go_on`,
 *     and answer_slice_shorten when more than `limit` bytes have come,
 *   answer_slice_begin at `after`, …
 *
 * Times are nanoseconds.
 */
#ifndef INFLUXFS_POINTS_ANSWER_SLICE_H
#define INFLUXFS_POINTS_ANSWER_SLICE_H

#include <stdint.h>

/* Zeros but for `most`: there was none yet. */
struct answer_slice {
    int64_t begin, end;   /* begin <= time < end */
    int64_t first, last;  /* times of rows that were put down; first > last: none was */
    int64_t after;        /* no row after the slice is before this time; INT64_MAX: there is none */
    uint64_t most, limit; /* bytes: of a usual slice; at which this one is to be shorter */
};

/* The slice that begins at a time, which no row to come is before, and ends before `to`. put: bytes that the
 * slice before it took. */
void answer_slice_begin(struct answer_slice *t, int64_t from, int64_t to, uint64_t put);

/* A row of that time was put down; one after the slice does not count. */
void answer_slice_note(struct answer_slice *t, int64_t time);

/* There is a row after the slice, which is not before this time. */
void answer_slice_go_on(struct answer_slice *t, int64_t time);

/* Lets the slice end in the middle of the times seen so far, but after the first of them. */
void answer_slice_shorten(struct answer_slice *t);

#endif
