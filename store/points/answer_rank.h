/* SPDX-License-Identifier: MIT */
/*
 * The order of series by the tags that stand before the first field among the columns: numbers
 * instead of texts, so that rows of the same time are compared without reading any.
 *
 *   answer_rank_see …, answer_rank_finish, answer_rank_compare …
 *
 * 4 bytes for each series. These come in the order of their keys, which mostly is this one. Where it is
 * not, as some lack a tag or have odd bytes in one, they are sorted by pieces of their texts: 8 bytes
 * more for each while that is done, and 4 afterwards if some lack a tag. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_RANK_H
#define INFLUXFS_POINTS_ANSWER_RANK_H

#include "store/base/buffer.h"
#include "store/base/err.h"
#include "store/points/columns.h"

struct answer_rank;

/* The columns must outlive the result. 0 or -ENOMEM. */
int answer_rank_new(const struct columns *c, struct answer_rank **out);
void answer_rank_free(struct answer_rank *k); /* NULL is allowed */

/* The next series; cells NULL: it has no rows. 0 or -ENOMEM. */
int answer_rank_see(struct answer_rank *k, const struct points_cell *cells);

/* All series have been seen. `read` gives the cells of one again that has rows. Errors as `read`;
 * -ENOMEM. */
struct answer_rank_again {
    int (*read)(void *ctx, uint32_t series, const struct points_cell **cells, struct err *e);
    bool (*has_rows)(void *ctx, uint32_t series);
    void *ctx;
};
int answer_rank_finish(struct answer_rank *k, const struct answer_rank_again *again, struct err *e);

/* Below 0: influxd merges a row of series a before one of series b with the same time; above 0: not;
 * 0: these tags do not decide, but if `answer_rank_fields` the cells of the rows may. */
int answer_rank_compare(const struct answer_rank *k, uint32_t a, uint32_t b);

/* Whether the first field is a string, so that its texts decide where tags do not. */
bool answer_rank_fields(const struct answer_rank *k);

#endif
