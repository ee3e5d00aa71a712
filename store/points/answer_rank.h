/* SPDX-License-Identifier: MIT */
/*
 * The order of series by the tags that stand before the first field among the columns: numbers
 * instead of texts, so that rows of the same time are compared without reading any.
 *
 *   answer_rank_see …, answer_rank_finish, answer_rank_compare …
 *
 * 4 bytes of the spill for each series, and as many again if some lack a tag. These come in the order of
 * their keys, which mostly is this one; where it is not, as some lack a tag or have odd bytes in one,
 * their texts are sorted (answer_sort.h). Failures of the spill are told by answer_spill_check. One thread
 * at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_RANK_H
#define INFLUXFS_POINTS_ANSWER_RANK_H

#include "store/points/answer_spill.h"
#include "store/points/columns.h"

struct answer_rank;

/* memory: bytes, while texts are sorted. The columns and the spill must outlive the result. 0 or
 * -ENOMEM. */
int answer_rank_new(const struct columns *c, struct answer_spill *spill, size_t memory,
                    struct answer_rank **out);
void answer_rank_free(struct answer_rank *k); /* NULL is allowed */

/* The next series; cells NULL: it has no rows. 0 or -ENOMEM. */
int answer_rank_see(struct answer_rank *k, const struct points_cell *cells);

/* All series have been seen. `next` gives those that have rows again, in any order: 1, and the cells of
 * a series; 0 at the end. Errors as `next` and answer_sort_next. */
struct answer_rank_again {
    int (*next)(void *ctx, uint32_t *series, const struct points_cell **cells, struct err *e);
    void *ctx;
};
int answer_rank_finish(struct answer_rank *k, const struct answer_rank_again *again, struct err *e);

/* The rank of a series, for answer_rank_compare. */
uint32_t answer_rank_of(const struct answer_rank *k, uint32_t series);

/* Below 0: influxd merges a row of a series of rank a before one of rank b with the same time; above 0:
 * not; 0: these tags do not decide, but if `answer_rank_fields` the cells of the rows may. */
int answer_rank_compare(const struct answer_rank *k, uint32_t a, uint32_t b);

/* Whether the first field is a string, and its texts may have to decide. */
bool answer_rank_fields(const struct answer_rank *k);

/* After answer_rank_finish: whether tags decide between any two series. */
bool answer_rank_strict(const struct answer_rank *k);

/* After answer_rank_finish: whether they do, in the order of the series' numbers. */
bool answer_rank_sorted(const struct answer_rank *k);

#endif
