/* SPDX-License-Identifier: MIT */
/* Shard-wide data for opening measurements, kept for the shards read last. */
#include "store/base/cleanup.h"
#include "store/points/keyindex.h"
#include "store/points/schema_cache_internal.h"
#include "store/points/walcache.h"

#include <errno.h>
#include <string.h>

/* What the kept WALs of all shards take, replayed. A shard whose segments have more bytes is not tried. */
#define WAL_MAX ((size_t)4 << 20)

static void recent_clear(struct recent_shard *s)
{
    walcache_unref(s->wal);
    keyindex_unref(s->keys);
}

void schema_cache_forget(struct schema_cache *c)
{
    for (size_t i = 0; i < c->nrecent; i++)
        recent_clear(&c->recent[i]);
    c->nrecent = 0;
}

/* Moves the shard to the front of the list; false: not in the list. */
static bool recent_move_to_front(struct schema_cache *c, size_t shard)
{
    size_t at = 0;
    while (at < c->nrecent && c->recent[at].shard != shard)
        at++;
    bool there = at < c->nrecent;
    struct recent_shard one = there ? c->recent[at] : (struct recent_shard){.shard = shard};
    if (!there && c->nrecent < RECENT_SHARDS)
        c->nrecent++;
    else if (!there)
        recent_clear(&c->recent[--at]);
    memmove(&c->recent[1], &c->recent[0], at * sizeof(c->recent[0]));
    c->recent[0] = one;
    return there;
}

static uint64_t wal_bytes(const struct capture *c, const struct shard_files *sh)
{
    uint64_t n = 0;
    for (size_t i = 0; i < sh->nwal; i++)
        n += capture_member(c, sh->wal[i])->attr.size;
    return n;
}

/* NULL if it is too large. */
static int recent_replay(const struct schema_cache *c, const struct shard_files *sh,
                         const struct tarball_reader *reader, struct walcache **out, struct err *e)
{
    const struct walcache_query q = {.of = {.capture = c->capture, .shard = sh, .reader = reader},
                                     .memory = WAL_MAX};
    cleanup(walcache_unrefp) struct walcache *w = NULL;
    if (wal_bytes(c->capture, sh) > WAL_MAX)
        return 0;
    int r = walcache_open(&q, &w, e);
    if (r == 0 && !walcache_rest(w).p && walcache_memory(w) <= WAL_MAX)
        *out = steal_ptr(&w);
    return r;
}

/* Lets go of the WALs of shards read longest ago. */
static void recent_limit(struct schema_cache *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nrecent; i++) {
        struct recent_shard *s = &c->recent[i];
        n += s->wal ? walcache_memory(s->wal) : 0;
        if (n <= WAL_MAX)
            continue;
        walcache_unref(s->wal);
        s->wal = NULL;
    }
}

/* Reads the whole shard. Measurements without damage can be read without this. */
static int recent_read(const struct schema_cache *c, struct recent_shard *s,
                       const struct tarball_reader *reader, struct err *e)
{
    const struct shard_files *sh = shards_at(c->shards, s->shard);
    int r = recent_replay(c, sh, reader, &s->wal, e);
    if (r == 0)
        r = keyindex_open(c->capture, sh, reader, &s->keys, e);
    if (r < 0) {
        walcache_unref(s->wal);
        s->wal = NULL;
    }
    s->damaged = r == -EBADMSG;
    return s->damaged ? 0 : r;
}

int schema_cache_recent(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                        struct walcache **wal, struct keyindex **keys, struct err *e)
{
    struct err why = {0};
    int r = schema_cache_lock(c, reader, e);
    if (r < 0)
        return r;
    struct recent_shard *s = &c->recent[0];
    if (recent_move_to_front(c, i) && !s->keys && !s->damaged) {
        r = recent_read(c, s, reader, &why);
        recent_limit(c);
        r = r < 0 ? err_set(e, r, "%s", why.text) : 0;
    }
    if (r == 0) {
        *wal = s->wal ? walcache_ref(s->wal) : NULL;
        *keys = s->keys ? keyindex_ref(s->keys) : NULL;
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}
