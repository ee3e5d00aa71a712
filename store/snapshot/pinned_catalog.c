/* SPDX-License-Identifier: MIT */
/* How the catalogue sees a capture of the live store. */
#include "store/snapshot/pinned.h"

#include "store/base/array.h"
#include "store/base/time.h"
#include "store/snapshot/marks.h"

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

static bool pinned_shard(void *ctx, size_t i, struct catalog_shard *out)
{
    const struct view *v = ctx;
    return marks_of(&v->p->window.shards[i], out);
}

/* The folders, and what is to be remembered of the shards. The caller frees the list of folders. */
static int pinned_shape(struct view *v, struct catalog_shape *out)
{
    const struct capture *c = &v->p->c;
    struct catalog_folder *folders = calloc(c->nruns + 1, sizeof(*folders));
    if (!folders)
        return -ENOMEM;
    for (size_t i = 0; i < c->nruns; i++) {
        const struct member_run *r = c->runs[i];
        folders[i] =
            (struct catalog_folder){.path = r->dir,
                                    .first = c->firsts[i] + 1,
                                    .n = r->n - 1,
                                    .known = r->holds != RUN_LISTED || (r->settled && r->n > 1),
                                    .digest = r->holds == RUN_KNOWN ? r->digest : NULL};
    }
    *out = (struct catalog_shape){.folders = folders,
                                  .nfolders = c->nruns,
                                  .shard = pinned_shard,
                                  .nshards = v->p->window.nshards,
                                  .ctx = v};
    return 0;
}

int pinned_settle(struct pinned *p, const struct pinned *earlier, const char *host, struct err *e)
{
    struct view v = {.p = p};
    struct catalog_shape shape;
    const struct catalog_files files = view_files(&v);
    int r = pinned_shape(&v, &shape);
    if (r < 0)
        return err_sys(e, r, "a capture");
    r = catalog_settle_state(p->catalog,
                             &(struct catalog_given){.digest = p->digest,
                                                     .earlier = earlier ? earlier->digest : NULL,
                                                     .files = &files,
                                                     .shape = &shape,
                                                     .host = host,
                                                     .now_ns = time_wall_ns(),
                                                     .skew_ns = p->window.skew_ns},
                             &p->c.record, e);
    free((void *)shape.folders);
    if (r == 0 && v.failed)
        r = err_sys(e, -ENOMEM, "a capture");
    for (size_t i = 0; r == 0 && i < p->c.nruns; i++)
        p->c.runs[i]->settled = true;
    return r;
}

int pinned_prepare(struct pinned *p, struct err *e)
{
    struct view v = {.p = p};
    struct catalog_shape shape;
    const struct catalog_files files = view_files(&v);
    int r = pinned_shape(&v, &shape);
    if (r < 0)
        return err_sys(e, r, "a capture");
    /* The rest is the last one's, whose capture has all of it. */
    struct catalog_folder *folders = (struct catalog_folder *)shape.folders;
    size_t n = 0;
    for (size_t i = 0; i < shape.nfolders; i++)
        if (capture_run(&p->c, i).shard)
            folders[n++] = folders[i];
    shape.nfolders = n;
    r = catalog_prepare(p->catalog, &files, &shape, e);
    free(folders);
    return r < 0 || !v.failed ? r : err_sys(e, -ENOMEM, "a capture");
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
