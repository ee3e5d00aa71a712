/* SPDX-License-Identifier: MIT */
/* How the catalogue sees a capture of the live store. */
#include "store/snapshot/pinned.h"

#include "store/base/array.h"
#include "store/base/time.h"

#include <errno.h>

struct view {
    struct pinned *p;
    char path[MEMBER_PATH_MAX];
    bool failed; /* out of memory */
};

static void pinned_get(void *ctx, size_t i, struct catalog_file *f)
{
    struct view *v = ctx;
    size_t at;
    const struct member_run *r = capture_run_of(&v->p->c, i, &at);
    const struct member *m = &r->members[at];
    f->path = member_path(m, v->path);
    f->ino = m->held ? held_inode(m->held) : 0;
    f->size = m->attr.size;
    f->mtime_ns = m->attr.mtime_ns;
    f->index = m->index;
    f->have_sum = capture_sum(&v->p->c, i, f->sum);
    f->damaged = capture_damaged(&v->p->c, i);
}

/* A run that another capture has, too, does not change: a copy gets the index. */
static struct member_run *own_run(struct view *v, size_t i, size_t *at)
{
    struct member_run *r = capture_run_of(&v->p->c, i, at);
    const size_t k = array_bisect_last(v->p->c.firsts, v->p->c.nruns, i);
    struct member_run *own = run_copy(r);
    v->failed |= !own;
    if (!own)
        return r;
    v->p->c.runs[k] = own;
    run_unref(r);
    return own;
}

static void pinned_put(void *ctx, size_t i, const struct catalog_file *f)
{
    struct view *v = ctx;
    size_t at;
    struct member_run *r = capture_run_of(&v->p->c, i, &at);
    if (member_is_folder(&r->members[at]))
        return;
    if (r->settled && r->members[at].index != f->index)
        r = own_run(v, i, &at);
    if (!r->settled)
        r->members[at].index = f->index;
    if (f->damaged)
        held_set_damaged(r->members[at].held);
    if (f->have_sum)
        run_set_sum(r, at, f->sum);
}

static struct catalog_files view_files(struct view *v)
{
    return (struct catalog_files){v->p->c.n, pinned_get, pinned_put, v};
}

int pinned_settle(struct pinned *p, const struct pinned *earlier, const char *host, struct err *e)
{
    struct view v = {.p = p};
    const struct catalog_files files = view_files(&v);
    int r = catalog_settle(p->catalog, p->digest, earlier ? earlier->digest : NULL, &files, host,
                           time_wall_ns(), p->window.skew_ns, &p->c.record, e);
    if (r == 0 && v.failed)
        r = err_sys(e, -ENOMEM, "a capture");
    for (size_t i = 0; r == 0 && i < p->c.nruns; i++)
        p->c.runs[i]->settled = true;
    return r;
}

int pinned_keep_sums(struct capture *c, struct err *e)
{
    struct pinned *p = (struct pinned *)c;
    struct view v = {.p = p};
    const struct catalog_files files = view_files(&v);
    if (!atomic_exchange(&p->sums_to_keep, false))
        return 0;
    int r = catalog_put_sums(p->catalog, &files, e);
    if (r < 0)
        atomic_store(&p->sums_to_keep, true);
    return r;
}
