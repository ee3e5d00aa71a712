/* SPDX-License-Identifier: MIT */
#include "store/points/points.h"

#include "store/base/cleanup.h"
#include "store/points/points_internal.h"

#include <errno.h>
#include <stdlib.h>

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

int points_next(struct points *p, struct points_row *row, struct err *e)
{
    return p->answer ? points_answer_next(p, row, e) : points_all_next(p, row, e);
}

int points_mark(const struct points *p, struct buffer *mark)
{
    return p->answer ? points_answer_mark(p, mark) : points_all_mark(p, mark);
}

int points_resume(struct points *p, struct slice mark, struct err *e)
{
    return p->answer ? points_answer_resume(p, mark, e) : points_all_resume(p, mark, e);
}

static int points_find_shards(struct points *p, const size_t *list, size_t n, struct err *e)
{
    p->shards = calloc(n + 1, sizeof(*p->shards));
    if (!p->shards)
        return no_memory(e);
    for (size_t i = 0; i < n; i++)
        p->shards[i] =
            (struct points_shard){list[i], shards_at(schema_cache_shards(p->cache), list[i])};
    p->nshards = n;
    return 0;
}

int points_open(struct schema_cache *c, const struct points_query *q, struct points **out,
                struct err *e)
{
    cleanup(points_freep) struct points *p = calloc(1, sizeof(*p));
    autofree size_t *list = NULL;
    size_t n = 0;
    if (!p)
        return no_memory(e);
    p->cache = c;
    p->q = *q;
    int r = shards_range(schema_cache_shards(c), q->db, q->rp, q->from, q->to, &list, &n, e);
    if (r == 0)
        r = points_find_shards(p, list, n, e);
    if (r == 0)
        r = columns_of(c, q, list, n, &p->columns, e);
    if (r == 0)
        r = q->way == POINTS_ANSWER ? points_answer_open(p, e) : points_all_open(p, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&p);
    return 0;
}

void points_free(struct points *p)
{
    if (!p)
        return;
    points_answer_free(p->answer);
    points_all_free(p->all);
    free(p->shards);
    columns_clear(&p->columns);
    free(p);
}

size_t points_columns(const struct points *p)
{
    return p->columns.n;
}

const struct points_column *points_column(const struct points *p, size_t i)
{
    return &p->columns.list[i];
}
