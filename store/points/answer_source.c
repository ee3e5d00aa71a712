/* SPDX-License-Identifier: MIT */
#include "store/points/answer_source.h"

#include "store/base/cleanup.h"

/* The part of the budget for blocks of cursors that move side by side. */
#define FOR_BLOCKS 2

/* What the cursor of a field has in memory while it moves: a block of 1000 values, mostly, and its
 * texts, which were compressed; and all that the WAL holds of it. */
static size_t source_field_bytes(const struct cursor *c)
{
    size_t most = 0, n = 1000 * (sizeof(int64_t) + sizeof(union value)) + c->nwal * sizeof(*c->wal);
    for (size_t i = 0; i < c->nblocks; i++)
        for (size_t k = 0; k < c->blocks[i].nentries; k++)
            if (c->blocks[i].entries[k].size > most)
                most = c->blocks[i].entries[k].size;
    if (c->type != VALUE_STRING)
        return n;
    for (size_t i = 0; i < c->nwal; i++)
        n += c->wal[i].value.s.len;
    return n + 4 * most;
}

/* Whether the cursors of all series take more memory than this, in *more. */
static int source_count(const struct points *p, size_t i, size_t memory, bool *more, struct err *e)
{
    cleanup(seriesstream_freep) struct seriesstream *s = NULL;
    const struct points_stream_limits limits = {.range = {p->q.from, p->q.to - 1},
                                                .memory = points_divide(p, i, 1, points_budget(p))};
    struct stream_series one;
    size_t n = 0;
    int r = points_stream(p, i, &limits, &s, e);
    while (r == 0 && n <= memory && (r = seriesstream_next(s, &one, e)) == 1) {
        for (size_t k = 0; k < one.nfields; k++)
            n += source_field_bytes(&one.fields[k].cursor);
        r = 0;
    }
    *more = n > memory;
    return r;
}

int answer_source_open(const struct points *p, size_t i, size_t memory, struct answer_spill *spill,
                       struct answer_source **out, struct err *e)
{
    bool many = false;
    int r = source_count(p, i, memory / FOR_BLOCKS, &many, e);
    if (r < 0)
        return r;
    return many ? answer_spilled_open(p, i, memory, spill, out, e)
                : answer_cursors_open(p, i, out, e);
}
