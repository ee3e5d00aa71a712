/* SPDX-License-Identifier: MIT */
#include "store/points/answer_slice.h"

/* The length of the slice before, or twice as long if it took little. */
static uint64_t slice_length(const struct answer_slice *t, uint64_t put)
{
    const int64_t first = t->first <= t->last ? t->first : t->begin;
    const uint64_t length = (uint64_t)t->end - (uint64_t)first;
    return put < t->most / 2 && length <= UINT64_MAX / 2 ? 2 * length : length;
}

void answer_slice_begin(struct answer_slice *t, int64_t from, int64_t to, uint64_t put)
{
    const uint64_t all = (uint64_t)to - (uint64_t)from;
    const uint64_t length = t->begin < t->end ? slice_length(t, put) : all;
    t->begin = from;
    t->end = (int64_t)((uint64_t)from + (length < all ? length : all));
    t->first = INT64_MAX;
    t->last = INT64_MIN;
    t->after = INT64_MAX;
    t->limit = t->most;
}

void answer_slice_note(struct answer_slice *t, int64_t time)
{
    if (time >= t->end)
        return;
    t->first = time < t->first ? time : t->first;
    t->last = time > t->last ? time : t->last;
}

void answer_slice_go_on(struct answer_slice *t, int64_t time)
{
    t->after = time < t->after ? time : t->after;
}

void answer_slice_shorten(struct answer_slice *t)
{
    const int64_t last = t->last < t->end ? t->last : t->end - 1;
    if (t->first <= last)
        t->end = t->first + (int64_t)(((uint64_t)last - (uint64_t)t->first) / 2) + 1;
    if (t->first < last)
        answer_slice_go_on(t, t->end);
    t->limit += t->most / 2;
}
