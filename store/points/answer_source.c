/* SPDX-License-Identifier: MIT */
#include "store/points/answer_source.h"

#include "store/base/cleanup.h"

/* What the cursor of a field has in memory while it moves: a block of 1000 values, mostly, and what
 * it takes to read it. */
#define FIELD_BYTES ((size_t)16 << 10)

/* Whether the series have more than so many fields, in *more. */
static int source_count(const struct points *p, size_t i, size_t most, bool *more, struct err *e)
{
    cleanup(seriesstream_freep) struct seriesstream *s = NULL;
    const struct points_stream_limits limits = {.range = {p->q.from, p->q.to - 1}};
    struct stream_series one;
    size_t n = 0;
    int r = points_stream(p, i, &limits, &s, e);
    while (r == 0 && n <= most && (r = seriesstream_next(s, &one, e)) == 1) {
        n += one.nfields;
        r = 0;
    }
    *more = n > most;
    return r;
}

int answer_source_open(const struct points *p, size_t i, size_t memory, struct answer_source **out,
                       struct err *e)
{
    bool many = false;
    int r = source_count(p, i, memory / FIELD_BYTES, &many, e);
    if (r < 0)
        return r;
    return many ? answer_spilled_open(p, i, memory, out, e) : answer_cursors_open(p, i, out, e);
}
