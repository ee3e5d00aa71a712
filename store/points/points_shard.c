/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/points/points_internal.h"

int points_measurement(const struct points *p, size_t i, struct measurement **out, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *wal = NULL;
    cleanup(keyindex_unrefp) struct keyindex *keys = NULL;
    int r = schema_cache_recent(p->cache, p->shards[i].number, p->q.reader, &wal, &keys, e);
    if (r < 0)
        return r;
    const struct measurement_query q = {.capture = schema_cache_capture(p->cache),
                                        .shard = p->shards[i].files,
                                        .name = p->q.measurement,
                                        .range = {p->q.from, p->q.to - 1},
                                        .gaps = p->q.gaps,
                                        .reader = p->q.reader,
                                        .wal = wal,
                                        .keys = keys};
    return measurement_open(&q, out, e);
}
