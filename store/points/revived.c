/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/points/deletes.h"
#include "store/points/walcache.h"

#include <errno.h>
#include <string.h>

static int64_t mtime_of(const struct capture *c, size_t member)
{
    return capture_member(c, member)->attr.mtime_ns;
}

static bool is_same(const struct walcache_key *a, const struct walcache_value *va,
                    const struct walcache_key *b, const struct walcache_value *vb)
{
    if (a->type != VALUE_STRING)
        return va->value.u == vb->value.u;
    return va->value.s.len == vb->value.s.len &&
           memcmp(a->text + va->value.s.off, b->text + vb->value.s.off, va->value.s.len) == 0;
}

/* Whether value i is still the one in the whole WAL. Both lists ascend by time. */
static bool survives(const struct walcache_key *whole, size_t *at, const struct walcache_key *old,
                     size_t i)
{
    while (*at < whole->n && whole->values[*at].time < old->values[i].time)
        ++*at;
    return *at < whole->n && whole->values[*at].time == old->values[i].time &&
           is_same(whole, &whole->values[*at], old, &old->values[i]);
}

/* The values of a field in the older segments that the tombstone covers. */
static uint64_t revived_in_field(const struct walcache *whole, const struct walcache_key *old,
                                 struct deletes *d)
{
    const struct key_deletes *k = deletes_of(d, old->key);
    struct walcache_key now;
    size_t at = 0;
    uint64_t n = 0;
    if (!k || !walcache_find(whole, old->key, &now) || now.type != old->type)
        return 0;
    for (size_t i = 0; i < old->n; i++)
        n += key_deletes_time(k->list, k->n, old->values[i].time) && survives(&now, &at, old, i);
    return n;
}

/* The values for one tombstone and the first segments. These are older by more than the tick in
 * which a segment may be written after the tombstone. */
static int revived_by_tombstone(const struct capture *c, const struct shard_files *sh,
                                size_t tombstone, size_t nwal, const struct walcache *whole,
                                uint64_t *n, struct err *e)
{
    cleanup(membersource_clear) struct membersource source = {.path = NULL};
    cleanup(deletes_freep) struct deletes *d = NULL;
    cleanup(walcache_unrefp) struct walcache *old = NULL;
    struct shard_files part = *sh;
    part.nwal = nwal;
    if (membersource_init(&source, c, tombstone) < 0)
        return err_sys(e, -ENOMEM, "the WAL");
    int r = deletes_read(&source.source, (struct slice){NULL, 0}, &d, e);
    if (r == 0)
        r = walcache_open(&(struct walcache_query){.of = {.capture = c, .shard = &part}}, &old, e);
    for (size_t i = 0; r == 0 && i < walcache_count(old); i++) {
        const struct walcache_key k = walcache_at(old, i);
        *n += revived_in_field(whole, &k, d);
    }
    return r;
}

int revived_count(const struct capture *c, const struct shard_files *sh, uint64_t *n, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *whole = NULL;
    int r = 0;
    *n = 0;
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++) {
        size_t tombstone = sh->tsm[i].tombstone, nwal = 0;
        while (tombstone != MEMBER_NONE && nwal < sh->nwal &&
               mtime_of(c, sh->wal[nwal]) < mtime_of(c, tombstone))
            nwal++;
        if (nwal > 0 && !whole)
            r = walcache_open(&(struct walcache_query){.of = {.capture = c, .shard = sh}}, &whole,
                              e);
        if (nwal > 0 && r == 0)
            r = revived_by_tombstone(c, sh, tombstone, nwal, whole, n, e);
    }
    return r;
}
