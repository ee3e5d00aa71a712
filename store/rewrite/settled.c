/* SPDX-License-Identifier: MIT */
#include "store/rewrite/settled_internal.h"

#include "store/base/cleanup.h"

#include <errno.h>

/* Raise this when the same shard gives other files. */
#define DIGEST_VERSION 1

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the files of a shard");
}

static bool wants_all(const struct settled_query *q)
{
    return q->range.min == INT64_MIN && q->range.max == INT64_MAX;
}

bool settled_is_plain(const struct settled_query *q)
{
    const struct shard_files *sh = q->shard;
    for (size_t i = 0; i < sh->ntsm; i++)
        if (sh->tsm[i].tombstone != MEMBER_NONE)
            return false;
    for (size_t i = 0; i < sh->nwal; i++)
        if (capture_member(q->capture, sh->wal[i])->attr.size > 0)
            return false;
    return wants_all(q);
}

int settled_digest(const struct settled_query *q, uint8_t out[SHA256_BYTES], struct err *e)
{
    const int64_t of_query[] = {DIGEST_VERSION, q->range.min, q->range.max,
                                q->gaps && q->gaps->damage};
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return no_memory(e);
    sha256_add(h, of_query, sizeof(of_query));
    shards_digest(q->capture, q->shard, h);
    sha256_end(h, out);
    return 0;
}

int settled_open(const struct settled_query *q, struct settled **out, struct err *e)
{
    cleanup(settled_freep) struct settled *s = calloc(1, sizeof(*s));
    if (!s)
        return no_memory(e);
    s->capture = q->capture;
    s->fd = -1;
    int r = 0;
    for (size_t i = 0; r == 0 && i < q->shard->ntsm; i++)
        r = settled_add_tsm(s, q, i, e);
    if (r == 0)
        r = settled_add_wal(s, q, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&s);
    return 0;
}
