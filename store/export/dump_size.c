/* SPDX-License-Identifier: MIT */
/* What is known of a dump without making it, or by making it once. */
#include "store/base/cleanup.h"
#include "store/export/dump_internal.h"
#include "store/points/columns.h"

#include <errno.h>
#include <string.h>

/* Rises whenever the same store gives another text. */
#define DIGEST_VERSION 2

static void add_number(struct sha256 *h, uint64_t v)
{
    sha256_add(h, &v, sizeof(v));
}

static void add_text(struct sha256 *h, const char *p, size_t n)
{
    add_number(h, n);
    sha256_add(h, p, n);
}

/* The catalogue's index of a file rises when it changes; a WAL segment grows. */
static void add_member(struct sha256 *h, const struct capture *c, size_t i)
{
    if (i == MEMBER_NONE) {
        add_number(h, UINT64_MAX);
        return;
    }
    const struct member *m = capture_member(c, i);
    add_text(h, m->name, strlen(m->name));
    add_number(h, m->index);
    add_number(h, m->attr.size);
    add_number(h, (uint64_t)m->attr.mtime_ns);
}

static void add_shard(struct sha256 *h, const struct capture *c, const struct shard_files *sh)
{
    add_number(h, sh->id);
    add_number(h, (uint64_t)sh->start);
    add_number(h, (uint64_t)sh->end);
    add_number(h, sh->tsi1);
    add_number(h, sh->ntsm);
    for (size_t i = 0; i < sh->ntsm; i++) {
        add_member(h, c, sh->tsm[i].tsm);
        add_member(h, c, sh->tsm[i].tombstone);
    }
    add_number(h, sh->nwal);
    for (size_t i = 0; i < sh->nwal; i++)
        add_member(h, c, sh->wal[i]);
}

static void add_query(struct sha256 *h, const struct dump_query *q)
{
    add_number(h, DIGEST_VERSION);
    add_number(h, q->format);
    add_number(h, q->gaps ? q->gaps->names + 2u * q->gaps->damage : 0u);
    add_number(h, (uint64_t)q->from);
    add_number(h, (uint64_t)q->to);
    add_text(h, q->db, strlen(q->db));
    add_text(h, q->rp, strlen(q->rp));
    add_text(h, q->measurement, q->n);
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
    add_query(h, q);
    for (size_t i = 0; i < columns.n; i++) {
        add_number(h, columns.list[i].is_tag);
        add_number(h, columns.list[i].type);
        add_text(h, columns.list[i].name.p, columns.list[i].name.n);
    }
    for (size_t i = 0; i < n; i++)
        add_shard(h, schema_cache_capture(c), shards_at(schema_cache_shards(c), list[i]));
    sha256_end(h, out);
    return 0;
}

static int make_all(struct schema_cache *c, const struct dump_query *q, uint64_t *size,
                    struct err *e)
{
    cleanup(dump_freep) struct dump *d = NULL;
    int r = dump_open(c, q, &d, e);
    ssize_t n = r < 0 ? r : 0;
    *size = 0;
    while (r == 0 && (n = dump_read(d, NULL, SIZE_MAX, e)) > 0) {
        *size += (uint64_t)n;
        if (reader_interrupted(q->reader))
            r = err_set(e, -EINTR, "interrupted");
    }
    return r < 0 ? r : (int)n;
}

int dump_size(struct schema_cache *c, const struct dump_query *q,
              const uint8_t digest[SHA256_BYTES], uint64_t *size, struct err *e)
{
    struct catalog *k = schema_cache_catalog(c);
    if (k && catalog_get_dump(k, digest, size, NULL) == 0)
        return 0;
    int r = make_all(c, q, size, e);
    /* Not remembered, it is found again. */
    if (r == 0 && k)
        catalog_put_dump(k, digest, *size, NULL);
    return r;
}

static void latest(const struct capture *c, size_t i, int64_t *ns)
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
    if (r == 0 && n == 0) /* nothing, since meta.db says so */
        latest(capture, shards_meta_member(schema_cache_shards(c)), ns);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct shard_files *sh = shards_at(schema_cache_shards(c), list[i]);
        for (size_t k = 0; k < sh->ntsm; k++) {
            latest(capture, sh->tsm[k].tsm, ns);
            latest(capture, sh->tsm[k].tombstone, ns);
        }
        for (size_t k = 0; k < sh->nwal; k++)
            latest(capture, sh->wal[k], ns);
    }
    return r;
}
