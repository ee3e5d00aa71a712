/* SPDX-License-Identifier: MIT */
/*
 * Texts that are put in any order and taken in that of their bytes, each with a number; equal ones as
 * they were put. They are sorted in memory a part at a time, and the parts then read side by side.
 *
 *   answer_sort_put …, answer_sort_next …
 *
 * Failures of the spill are those of a next call. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_SORT_H
#define INFLUXFS_POINTS_ANSWER_SORT_H

#include "store/base/buffer.h"
#include "store/influx/serieskey.h"
#include "store/points/answer_spill.h"

struct answer_sort;

/* A part takes this many bytes of memory. The spill must outlive the result. 0 or -ENOMEM. */
int answer_sort_new(struct answer_spill *spill, size_t memory, struct answer_sort **out);
void answer_sort_free(struct answer_sort *s); /* NULL is allowed */
static inline void answer_sort_freep(struct answer_sort **s)
{
    answer_sort_free(*s);
}

/* 0 or -ENOMEM. */
int answer_sort_put(struct answer_sort *s, struct slice text, uint64_t number);

/* 1 and the next text, valid until the next call; 0 at the end. After the first call no more can be put.
 * Errors as answer_spill_check. */
int answer_sort_next(struct answer_sort *s, struct slice *text, uint64_t *number, struct err *e);

#endif
