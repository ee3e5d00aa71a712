/* SPDX-License-Identifier: MIT */
/* A measurement in one of the shards of a range. */
#include "store/base/cleanup.h"
#include "store/points/points_internal.h"

/* Less makes too many reads; more is no faster. */
#define LEAST_WINDOW ((size_t)1 << 10)
#define MOST_WINDOW ((size_t)256 << 10)

size_t points_memory(const struct points *p)
{
    return p->q.memory ? p->q.memory : POINTS_MEMORY;
}

size_t points_window(const struct points *p, size_t memory)
{
    size_t n = 1;
    for (size_t i = 0; i < p->nshards; i++)
        n += p->shards[i].files->ntsm;
    memory /= 2 * n;
    if (memory > MOST_WINDOW)
        return MOST_WINDOW;
    return memory > LEAST_WINDOW ? memory : LEAST_WINDOW;
}

/* Sixteenths of the budget for what is replayed of WALs, and for tombstones: the rows of answers need the
 * most of it. */
static const struct {
    size_t wal, deletes;
} shares[] = {[POINTS_ANSWER] = {1, 1}, [POINTS_ALL] = {6, 2}};

/* Of each shard, as all may be open. */
static size_t points_wal_memory(const struct points *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->nshards; i++)
        n += p->shards[i].files->nwal > 0;
    const size_t memory = points_memory(p) / 16 * shares[p->q.way].wal / (n ? n : 1);
    return memory ? memory : 1;
}

/* The same for the tombstones of each file. */
static size_t points_deletes_memory(const struct points *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->nshards; i++)
        for (size_t k = 0; k < p->shards[i].files->ntsm; k++)
            n += p->shards[i].files->tsm[k].tombstone != MEMBER_NONE;
    const size_t memory = points_memory(p) / 16 * shares[p->q.way].deletes / (n ? n : 1);
    return memory ? memory : 1;
}

int points_measurement(const struct points *p, size_t i, int64_t from, struct measurement **out,
                       struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *wal = NULL;
    cleanup(keyindex_unrefp) struct keyindex *keys = NULL;
    int r = schema_cache_recent(p->cache, p->shards[i].number, p->q.reader, &wal, &keys, e);
    if (r < 0)
        return r;
    const struct measurement_query q = {.capture = schema_cache_capture(p->cache),
                                        .shard = p->shards[i].files,
                                        .name = p->q.measurement,
                                        .range = {from, p->q.to - 1},
                                        .deletes_memory = points_deletes_memory(p),
                                        .gaps = p->q.gaps,
                                        .reader = p->q.reader,
                                        .wal = wal,
                                        .keys = keys};
    return measurement_open(&q, out, e);
}

int points_stream(const struct points *p, size_t i, const struct points_stream_limits *l,
                  struct seriesstream **out, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *wal = NULL;
    cleanup(keyindex_unrefp) struct keyindex *keys = NULL;
    int r = schema_cache_recent(p->cache, p->shards[i].number, p->q.reader, &wal, &keys, e);
    if (r < 0)
        return r;
    const struct stream_query q = {.capture = schema_cache_capture(p->cache),
                                   .shard = p->shards[i].files,
                                   .name = p->q.measurement,
                                   .range = l->range,
                                   .window = l->window,
                                   .values = l->values,
                                   .wal_memory = points_wal_memory(p),
                                   .deletes_memory = points_deletes_memory(p),
                                   .folder = p->q.folder,
                                   .spilled = p->q.spilled,
                                   .pool = l->pool,
                                   .gaps = p->q.gaps,
                                   .reader = p->q.reader,
                                   .wal = wal,
                                   .keys = keys};
    return seriesstream_open(&q, out, e);
}
