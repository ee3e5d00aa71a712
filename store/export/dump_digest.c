/* SPDX-License-Identifier: MIT */
/* Facts about a dump that do not need its text. */
#include "store/base/cleanup.h"
#include "store/export/dump_internal.h"
#include "store/points/columns.h"

#include <errno.h>
#include <string.h>

/* Raise this when the same store gives another text. */
#define DIGEST_VERSION 2

static void digest_add_integer(struct sha256 *h, uint64_t v)
{
    sha256_add(h, &v, sizeof(v));
}

static void digest_add_text(struct sha256 *h, const char *p, size_t n)
{
    digest_add_integer(h, n);
    sha256_add(h, p, n);
}

static void digest_add_query(struct sha256 *h, const struct dump_query *q)
{
    digest_add_integer(h, DIGEST_VERSION);
    digest_add_integer(h, q->format);
    digest_add_integer(h, q->gaps ? q->gaps->names + 2u * q->gaps->damage : 0u);
    digest_add_integer(h, (uint64_t)q->from);
    digest_add_integer(h, (uint64_t)q->to);
    digest_add_text(h, q->db, strlen(q->db));
    digest_add_text(h, q->rp, strlen(q->rp));
    digest_add_text(h, q->measurement, q->n);
}

int dump_digest(struct schema_cache *c, const struct dump_query *q, uint8_t out[SHA256_BYTES],
                struct err *e)
{
    const struct points_query pq = dump_points_query(q);
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    cleanup(columns_clear) struct columns columns = {0};
    autofree size_t *list = NULL;
    size_t n = 0;
    if (!h)
        return err_sys(e, -ENOMEM, "a dump");
    int r = shards_range(schema_cache_shards(c), q->db, q->rp, q->from, q->to, &list, &n, e);
    if (r == 0)
        r = columns_of(c, &pq, list, n, &columns, e);
    if (r < 0)
        return r;
    digest_add_query(h, q);
    for (size_t i = 0; i < columns.n; i++) {
        digest_add_integer(h, columns.list[i].is_tag);
        digest_add_integer(h, columns.list[i].type);
        digest_add_text(h, columns.list[i].name.p, columns.list[i].name.n);
    }
    for (size_t i = 0; i < n; i++)
        shards_digest(schema_cache_capture(c), shards_at(schema_cache_shards(c), list[i]), h);
    sha256_end(h, out);
    return 0;
}

static void size_latest(const struct capture *c, size_t i, int64_t *ns)
{
    if (i != MEMBER_NONE && capture_member(c, i)->attr.mtime_ns > *ns)
        *ns = capture_member(c, i)->attr.mtime_ns;
}

int dump_mtime(struct schema_cache *c, const struct dump_query *q, int64_t *ns, struct err *e)
{
    const struct capture *capture = schema_cache_capture(c);
    autofree size_t *list = NULL;
    size_t n = 0;
    int r = shards_range(schema_cache_shards(c), q->db, q->rp, q->from, q->to, &list, &n, e);
    *ns = 0;
    if (r == 0 && n == 0) /* nothing, as meta.db shows */
        size_latest(capture, shards_meta_member(schema_cache_shards(c)), ns);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct shard_files *sh = shards_at(schema_cache_shards(c), list[i]);
        for (size_t k = 0; k < sh->ntsm; k++) {
            size_latest(capture, sh->tsm[k].tsm, ns);
            size_latest(capture, sh->tsm[k].tombstone, ns);
        }
        for (size_t k = 0; k < sh->nwal; k++)
            size_latest(capture, sh->wal[k], ns);
    }
    return r;
}
