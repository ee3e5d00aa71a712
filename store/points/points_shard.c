/* SPDX-License-Identifier: MIT */
/* A measurement in one of the shards of a range. */
#include "store/base/cleanup.h"
#include "store/points/points_internal.h"

/* Less makes too many reads; more is no faster. */
#define LEAST_WINDOW ((size_t)1 << 10)
#define MOST_WINDOW ((size_t)256 << 10)

/* What the process takes besides, which is of the memory where that is as large as it is by default. */
#define BESIDE ((size_t)16 << 20)
#define WHOLE ((size_t)48 << 20)

size_t points_budget(const struct points *p)
{
    const size_t memory = p->q.memory ? p->q.memory : POINTS_MEMORY;
    if (memory <= WHOLE)
        return memory;
    return memory - BESIDE > WHOLE ? memory - BESIDE : WHOLE;
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

/* Sixteenths of the memory for what is replayed of WALs, and for tombstones: the rows of answers need much of it. Of
 * an answer, WALs have that of tombstones, too, where there are none. */
static const struct {
    size_t wal, deletes;
} shares[] = {[POINTS_ANSWER] = {2, 1}, [POINTS_ALL] = {6, 2}};

/* For each of n, as all may be open at once. */
static size_t share_of(size_t memory, size_t sixteenths, size_t n)
{
    const size_t share = memory / 16 * sixteenths / (n ? n : 1);
    return share ? share : 1;
}

struct points_memory points_divide(const struct points *p, size_t i, size_t n, size_t memory)
{
    size_t nwal = 0, ntombstones = 0;
    for (const size_t end = i + n; i < end; i++) {
        const struct shard_files *files = p->shards[i].files;
        nwal += files->nwal > 0;
        for (size_t k = 0; k < files->ntsm; k++)
            ntombstones += files->tsm[k].tombstone != MEMBER_NONE;
    }
    const size_t wal = shares[p->q.way].wal, deletes = shares[p->q.way].deletes;
    const bool more = p->q.way == POINTS_ANSWER && ntombstones == 0;
    return (struct points_memory){share_of(memory, more ? wal + deletes : wal, nwal),
                                  share_of(memory, deletes, ntombstones)};
}

int points_measurement(const struct points *p, size_t i, int64_t from, struct measurement **out,
                       struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *wal = NULL;
    cleanup(keyindex_unrefp) struct keyindex *keys = NULL;
    int r = schema_cache_recent(p->cache, p->shards[i].number, p->q.reader, &wal, &keys, e);
    if (r < 0)
        return r;
    const struct points_memory memory = points_divide(p, 0, p->nshards, points_budget(p));
    const struct measurement_query q = {.capture = schema_cache_capture(p->cache),
                                        .shard = p->shards[i].files,
                                        .name = p->q.measurement,
                                        .range = {from, p->q.to - 1},
                                        .deletes_memory = memory.deletes,
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
                                   .wal_memory = l->memory.wal,
                                   .deletes_memory = l->memory.deletes,
                                   .folder = p->q.folder,
                                   .spilled = p->q.spilled,
                                   .pool = l->pool,
                                   .gaps = p->q.gaps,
                                   .reader = p->q.reader,
                                   .wal = wal,
                                   .keys = keys};
    return seriesstream_open(&q, out, e);
}
