/* SPDX-License-Identifier: MIT */
/* How the catalogue sees a capture of the live store. */
#include "store/snapshot/pinned.h"

#include "store/base/array.h"
#include "store/base/time.h"
#include "store/snapshot/marks.h"

#include <errno.h>

struct view {
    struct pinned *p;
    struct catalog_files files;
    struct catalog_folder *folders;
    struct catalog_shape shape;
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
    f->size = m->attr.size;
    f->mtime_ns = m->attr.mtime_ns;
    f->index = m->index;
    if (!m->held)
        return;
    f->ino = held_inode(m->held);
    f->have_sum = run_sum(r, at, f->sum);
    f->damaged = run_damaged(r, at);
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

static bool pinned_shard(void *ctx, size_t i, struct catalog_shard *out)
{
    const struct view *v = ctx;
    return marks_of(&v->p->window.shards[i], out);
}

static struct catalog_folder view_folder(const struct pinned *p, size_t i)
{
    const struct member_run *r = p->c.runs[i];
    return (struct catalog_folder){.path = r->dir,
                                   .first = p->c.firsts[i] + 1,
                                   .n = r->n - 1,
                                   .known = r->holds != RUN_LISTED || (r->settled && r->n > 1),
                                   .digest = r->holds == RUN_KNOWN ? r->digest : NULL};
}

/* The files, the folders, or those of shards alone, and what is to be remembered of the shards. The
 * caller owes pinned_view_end. */
static int pinned_view_begin(struct view *v, struct pinned *p, bool shards_alone)
{
    *v = (struct view){.p = p, .files = {p->c.n, pinned_get, pinned_put, v}};
    v->folders = calloc(p->c.nruns + 1, sizeof(*v->folders));
    if (!v->folders)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < p->c.nruns; i++)
        if (!shards_alone || capture_run(&p->c, i).shard)
            v->folders[n++] = view_folder(p, i);
    v->shape = (struct catalog_shape){.folders = v->folders,
                                      .nfolders = n,
                                      .shard = pinned_shard,
                                      .nshards = p->window.nshards,
                                      .ctx = v};
    return 0;
}

/* Gives r, or what failed meanwhile. */
static int pinned_view_end(struct view *v, int r, struct err *e)
{
    free(v->folders);
    if (r == -ENOMEM || (r == 0 && v->failed))
        return err_sys(e, -ENOMEM, "a capture");
    return r;
}

typedef int settle_fn(struct catalog *c, const struct catalog_given *given,
                      struct catalog_record *rec, struct err *e);

static int pinned_settle_by(struct pinned *p, settle_fn *settle, const uint8_t *earlier,
                            const char *host, struct err *e)
{
    struct view v;
    int r = pinned_view_begin(&v, p, false);
    if (r == 0)
        r = settle(p->catalog,
                   &(struct catalog_given){.digest = p->digest,
                                           .earlier = earlier,
                                           .files = &v.files,
                                           .shape = &v.shape,
                                           .host = host,
                                           .now_ns = time_wall_ns(),
                                           .skew_ns = p->window.skew_ns},
                   &p->c.record, e);
    r = pinned_view_end(&v, r, e);
    for (size_t i = 0; r == 0 && i < p->c.nruns; i++)
        p->c.runs[i]->settled = true;
    return r;
}

int pinned_settle(struct pinned *p, const struct pinned *earlier, const char *host, struct err *e)
{
    return pinned_settle_by(p, catalog_settle_state, earlier ? earlier->digest : NULL, host, e);
}

int pinned_settle_part(struct pinned *p, const char *host, struct err *e)
{
    return pinned_settle_by(p, catalog_settle_piece, NULL, host, e);
}

/* The rest is the last one's, whose capture has all of it. */
int pinned_prepare(struct pinned *p, struct err *e)
{
    struct view v;
    int r = pinned_view_begin(&v, p, true);
    if (r == 0)
        r = catalog_prepare(p->catalog, &v.files, &v.shape, e);
    return pinned_view_end(&v, r, e);
}

int pinned_keep_sums(struct capture *c, struct err *e)
{
    struct pinned *p = (struct pinned *)c;
    struct view v = {.p = p};
    const struct catalog_files files = {c->n, pinned_get, pinned_put, &v};
    if (!atomic_exchange(&p->sums_to_keep, false))
        return 0;
    int r = catalog_put_sums(p->catalog, &files, e);
    if (r < 0)
        atomic_store(&p->sums_to_keep, true);
    return r;
}
