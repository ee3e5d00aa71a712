/* SPDX-License-Identifier: MIT */
/*
 * Rows that were put down in runs, each sorted by itself, read as one list that ascends by time and, at one
 * time, by series.
 *
 *   answer_runs_add …, answer_runs_begin, answer_runs_next …
 *
 * Rows lie in an array of bytes: those of the row, then a struct answer_record. A run is put down from its
 * latest row on, and read backwards. For each run there are some 100 bytes of memory. Failures of the spill
 * are told by answer_spill_check. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_RUNS_H
#define INFLUXFS_POINTS_ANSWER_RUNS_H

#include "store/base/buffer.h"
#include "store/points/answer_spill.h"
#include "store/points/keyheap.h"

#include <stdbool.h>

struct answer_record {
    uint64_t next; /* not of this module: for links between rows */
    int64_t time;
    uint32_t series, n; /* n: bytes of the row */
};

/* Zeros: no runs. */
struct answer_runs {
    struct answer_run *list;
    size_t n, room;
    int64_t end;         /* rows before this time are read */
    bool damaged;        /* a record is not as it was put down */
    struct keyheap heap; /* of those that are not read to their ends */
};

void answer_runs_clear(struct answer_runs *r); /* forgets all runs */
void answer_runs_free(struct answer_runs *r);

/* What was put at these places, from the first byte of its latest row on. 0 or -ENOMEM. */
int answer_runs_add(struct answer_runs *r, uint64_t begin, uint64_t end);

/* Makes ready to read the rows before a time, from the first one on. 0 or -ENOMEM. */
int answer_runs_begin(struct answer_runs *r, struct answer_array *rows, int64_t end);

/* The next row: adds its bytes to *to. 1; 0: there are no more; -ENOMEM; -EIO: the rows are not as they were put
 * down, or the spill has failed. */
int answer_runs_next(struct answer_runs *r, struct answer_array *rows, struct answer_record *head,
                     struct buffer *to);

#endif
