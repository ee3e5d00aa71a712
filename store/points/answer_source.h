/* SPDX-License-Identifier: MIT */
/*
 * The rows of each series of a measurement in one shard, for POINTS_ANSWER. Series are numbers from 0
 * on, in the order of their keys. There are two kinds:
 *
 *   answer_cursors   the cursors of all series side by side, for few series
 *   answer_spilled   for any number of series: they are read one after the other, and their rows in a
 *                    slice of time put down (answer_rows.h)
 *
 * Errors as points_next. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_SOURCE_H
#define INFLUXFS_POINTS_ANSWER_SOURCE_H

#include "store/points/goheap.h"
#include "store/points/points_internal.h"

/* The time of a series that has no more rows; no row of a query is that late. */
#define ANSWER_ENDED INT64_MAX

struct answer_source {
    const struct answer_source_ops *ops;
    uint32_t n;    /* series, also those without rows */
    int64_t until; /* rows before this time can be given */
    bool strict;   /* `less` decides between any two series, so that their order is no matter */
    bool sorted;   /* known after the first load: rows are given by `pop`, not series by series */
};

struct answer_source_ops {
    /* Goes on from a time that no current row is before. The first call finds the first rows from that
     * time on, and puts a struct goheap_item into `first` for each series that has one, in the order of
     * the series, unless the source is sorted; later ones, with the earliest time of all, only set until. */
    int (*load)(struct answer_source *s, int64_t from, struct answer_array *first, struct err *e);

    /* If sorted, in the place of take, next and less, and of later loads: takes the next row of all, its time and
     * series, and its cells, valid until the next one is taken. Time ANSWER_ENDED: there are no more. */
    int (*pop)(struct answer_source *s, struct goheap_item *row, const struct points_cell **cells,
               struct err *e);

    /* The cells of the current row of series i, valid until that of another one is taken. */
    int (*take)(struct answer_source *s, uint32_t i, const struct points_cell **cells,
                struct err *e);

    /* Moves series i, which was taken last, from its row at *time to the next one; ANSWER_ENDED. */
    int (*next)(struct answer_source *s, uint32_t i, int64_t *time, struct err *e);

    /* Whether influxd merges the current row of series a before that of b, which has the same time.
     * What fails is an error of the next `take`. */
    bool (*less)(void *s, const struct goheap_item *a, const struct goheap_item *b);

    void (*free)(struct answer_source *s);
};

/* For a query whose parts share its budget: this much, and the spill, are for shard i. The result is freed
 * by ops->free. Nothing has been loaded. */
int answer_source_open(const struct points *p, size_t i, size_t memory, struct answer_spill *spill,
                       struct answer_source **out, struct err *e);
static inline void answer_source_free(struct answer_source *s)
{
    if (s)
        s->ops->free(s);
}

/* The two kinds. */
int answer_cursors_open(const struct points *p, size_t i, struct answer_source **out,
                        struct err *e);
int answer_spilled_open(const struct points *p, size_t i, size_t memory, struct answer_spill *spill,
                        struct answer_source **out, struct err *e);

#endif
