/* SPDX-License-Identifier: MIT */
#include "store/snapshot/pinned.h"

#include "store/base/io.h"
#include "store/snapshot/walparts.h"

#include <errno.h>
#include <stdlib.h>

static struct pinned *of(const struct capture *c)
{
    return (struct pinned *)c;
}

static void pinned_free(struct capture *c)
{
    struct pinned *p = of(c);
    for (size_t i = 0; i < c->nlinks; i++)
        free(p->own_links[i]);
    capture_drop_runs(c);
    window_free(&p->window);
    omissions_clear(&p->omissions);
    free(p->own_links);
    free(p);
}

static bool pinned_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    size_t at;
    const struct member_run *r = capture_run_of(c, i, &at);
    return run_sum(r, at, out);
}

static void pinned_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    size_t at;
    struct member_run *r = capture_run_of(c, i, &at);
    run_set_sum(r, at, sum);
    atomic_store(&of(c)->sums_to_keep, true);
}

static bool pinned_damaged(const struct capture *c, size_t i)
{
    size_t at;
    const struct member_run *r = capture_run_of(c, i, &at);
    return run_damaged(r, at);
}

static bool pinned_any_damaged(const struct capture *c)
{
    bool any = held_any_damaged(capture_member(c, PINNED_META)->held);
    for (size_t i = 0; !any && i < c->nruns; i++)
        any = c->runs[i]->cut_off;
    return any;
}

static void pinned_set_damaged(struct capture *c, size_t i)
{
    held_set_damaged(capture_member(c, i)->held);
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
    const struct member *m = capture_member(c, i);
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

static void pinned_advise(const struct capture *c, size_t i, size_t n, uint64_t off)
{
    const struct member *m = capture_member(c, i);
    while (n > 0) {
        uint64_t at = off;
        const size_t part = m->wal_cut ? walparts_at(m->wal_cut, off, n, &at) : n;
        io_advise(held_fd(m->held), part, at);
        off += part;
        n -= part;
    }
}

static const struct capture_ops pinned_ops = {
    .free = pinned_free,
    .read = pinned_read,
    .advise = pinned_advise,
    .sum = pinned_sum,
    .set_sum = pinned_set_sum,
    .any_damaged = pinned_any_damaged,
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
    return p;
}
