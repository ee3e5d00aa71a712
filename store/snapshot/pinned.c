/* SPDX-License-Identifier: MIT */
#include "store/snapshot/pinned.h"

#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/snapshot/walparts.h"

#include <string.h>

static struct pinned *of(const struct capture *c)
{
    return (struct pinned *)c;
}

static void pinned_free(struct capture *c)
{
    struct pinned *p = of(c);
    for (size_t i = 0; i < c->n; i++)
        free(c->members[i].wal_cut);
    for (size_t i = 0; i < p->nstrings; i++)
        free(p->strings[i]);
    for (size_t i = 0; i < p->nsets; i++)
        shard_set_unref(p->sets[i].set);
    for (size_t i = 0; i < p->nholds; i++)
        held_put(p->holds[i]);
    window_free(&p->window);
    free(p->sets);
    free(p->holds);
    free(c->members);
    free(p->strings);
    omissions_clear(&p->omissions);
    free(p->own_links);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static bool pinned_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    struct pinned *p = of(c);
    const struct member *m = &c->members[i];
    if (!m->wal_cut)
        return held_sum(m->held, &m->attr, out);
    lock_scope(&p->lock);
    if (m->wal_cut->have_sum)
        memcpy(out, m->wal_cut->sum, SHA256_BYTES);
    return m->wal_cut->have_sum;
}

void pinned_know_sum(struct pinned *p, size_t i, const uint8_t sum[SHA256_BYTES])
{
    const struct member *m = &p->c.members[i];
    if (!m->wal_cut) {
        held_set_sum(m->held, &m->attr, sum);
        return;
    }
    lock_scope(&p->lock);
    memcpy(m->wal_cut->sum, sum, SHA256_BYTES);
    m->wal_cut->have_sum = true;
}

static void pinned_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    pinned_know_sum(of(c), i, sum);
    atomic_store(&of(c)->sums_to_keep, true);
}

static bool pinned_damaged(const struct capture *c, size_t i)
{
    const struct member *m = &c->members[i];
    return m->wal_cut ? m->wal_cut->nbad > 0 : held_damaged(m->held);
}

static void pinned_set_damaged(struct capture *c, size_t i)
{
    held_set_damaged(c->members[i].held);
    atomic_store(&of(c)->sums_to_keep, true);
}

static int read_part(const struct member *m, void *buf, size_t n, uint64_t off, struct err *e)
{
    int r = io_pread_all(held_fd(m->held), buf, n, off);
    if (r == -ENODATA)
        return err_set(e, -EIO, "%s/%s: the file became shorter while it was captured", m->dir,
                       m->name);
    if (r < 0) {
        err_sys(e, r, "%s/%s", m->dir, m->name);
        return -EIO;
    }
    return 0;
}

static int pinned_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                       struct err *e)
{
    const struct member *m = &c->members[i];
    if (!m->wal_cut)
        return read_part(m, buf, n, off, e);
    while (n > 0) {
        uint64_t at;
        const size_t part = walparts_at(m->wal_cut, off, n, &at);
        int r = read_part(m, buf, part, at, e);
        if (r < 0)
            return r;
        buf = (char *)buf + part;
        off += part;
        n -= part;
    }
    return 0;
}

static void pinned_get(void *ctx, size_t i, struct catalog_file *f)
{
    struct pinned *p = ctx;
    const struct member *m = &p->c.members[i];
    static _Thread_local char path[MEMBER_PATH_MAX];
    f->path = member_path(m, path);
    f->ino = m->held ? held_inode(m->held) : 0;
    f->size = m->attr.size;
    f->mtime_ns = m->attr.mtime_ns;
    f->index = m->index;
    f->have_sum = capture_sum(&p->c, i, f->sum);
    f->damaged = capture_damaged(&p->c, i);
}

static void pinned_put(void *ctx, size_t i, const struct catalog_file *f)
{
    struct pinned *p = ctx;
    if (member_is_folder(&p->c.members[i]))
        return;
    p->c.members[i].index = f->index;
    if (f->damaged)
        held_set_damaged(p->c.members[i].held);
    if (f->have_sum)
        pinned_know_sum(p, i, f->sum);
}

struct catalog_files pinned_files(struct pinned *p)
{
    return (struct catalog_files){p->c.n, pinned_get, pinned_put, p};
}

static int pinned_keep_sums(struct capture *c, struct err *e)
{
    struct pinned *p = of(c);
    if (!atomic_exchange(&p->sums_to_keep, false))
        return 0;
    struct catalog_files view = pinned_files(p);
    int r = catalog_put_sums(p->catalog, &view, e);
    if (r < 0)
        atomic_store(&p->sums_to_keep, true);
    return r;
}

static const struct capture_ops pinned_ops = {
    .free = pinned_free,
    .read = pinned_read,
    .sum = pinned_sum,
    .set_sum = pinned_set_sum,
    .damaged = pinned_damaged,
    .set_damaged = pinned_set_damaged,
    .keep_sums = pinned_keep_sums,
};

struct pinned *pinned_new(struct catalog *catalog)
{
    struct pinned *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    atomic_init(&p->c.refs, 1);
    p->c.ops = &pinned_ops;
    p->c.origin = (struct capture_origin){.kind = MANIFEST_FULL, .number = -1};
    p->c.left_out = &p->omissions;
    p->catalog = catalog;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}
