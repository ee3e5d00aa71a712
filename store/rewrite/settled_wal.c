/* SPDX-License-Identifier: MIT */
#include "store/rewrite/settled_internal.h"

#include "store/base/cleanup.h"
#include "store/points/walcache.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

static int by_key(const void *va, const void *vb)
{
    const struct walcache_key *a = va, *b = vb;
    return slice_compare(a->key, b->key);
}

/* As they stand in a TSM file: the cache's own order is by series and then by field. */
static struct walcache_key *settled_wal_keys(const struct walcache *w)
{
    size_t n = walcache_count(w);
    struct walcache_key *keys = calloc(n + 1, sizeof(*keys));
    if (!keys)
        return NULL;
    for (size_t i = 0; i < n; i++)
        keys[i] = walcache_at(w, i);
    qsort(keys, n, sizeof(*keys), by_key);
    return keys;
}

/* influxd's writes never hold NaN, and its flush would fail of it. */
static int settled_leave_nan(const struct settled_query *q, const struct walcache_key *k,
                             int64_t time, struct err *e)
{
    char name[GAPS_NAME], times[GAPS_TIMES];
    gaps_name(k->key, name);
    gaps_times(time, time, times);
    err_set(e, -EBADMSG,
            "the WAL of %s/%s/%" PRIu64 ": a float is NaN, which TSM files cannot hold",
            q->shard->db, q->shard->rp, q->shard->id);
    return gaps_damage(q->gaps, -EBADMSG, e, "left out: key %s, %s", name, times);
}

static int settled_wal_key(const struct settled_query *q, const struct walcache_key *k,
                           struct tsmwriter *w, struct err *e)
{
    int r = reader_interrupted(q->reader) ? err_set(e, -EINTR, "interrupted")
                                          : tsmwriter_key(w, k->key, k->type, e);
    for (size_t i = 0; r == 0 && i < k->n; i++) {
        const struct walcache_value *v = &k->values[i];
        if (v->time < q->range.min || v->time > q->range.max)
            continue;
        if (k->type == VALUE_FLOAT && isnan(v->value.f))
            r = settled_leave_nan(q, k, v->time, e);
        else
            r = tsmwriter_value(w, v->time, &v->value, k->text, e);
    }
    return r;
}

int settled_add_wal(struct settled *s, const struct settled_query *q, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *cache = NULL;
    cleanup(tsmwriter_freep) struct tsmwriter *w = NULL;
    struct settled_output o = {.s = s, .q = q, .mtime_ns = INT64_MIN};
    const struct walcache_query wal = {
        .of = {.capture = q->capture, .shard = q->shard, .gaps = q->gaps, .reader = q->reader}};
    int r = walcache_open(&wal, &cache, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < q->shard->nwal; i++)
        o.mtime_ns = settled_later(q, q->shard->wal[i], o.mtime_ns);
    autofree struct walcache_key *keys = settled_wal_keys(cache);
    if (!keys)
        return err_sys(e, -ENOMEM, "the WAL");
    r = settled_writer(&o, &w, e);
    for (size_t i = 0; r == 0 && i < walcache_count(cache); i++)
        r = settled_wal_key(q, &keys[i], w, e);
    return r < 0 ? r : tsmwriter_finish(w, e);
}
