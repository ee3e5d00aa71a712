/* SPDX-License-Identifier: MIT */
/* A part cut to the point: shards that reach over its times hold TSM files that were made anew, and
 * no WAL. All else is as in the part, which stays underneath. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/influx/names.h"
#include "store/rewrite/selected_internal.h"
#include "store/rewrite/settled.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A shard that is cut. */
struct cut_shard {
    const struct shard_files *files;
    struct settled *settled;
    char *place; /* "data/DB/RP/ID" */
};

struct exact {
    struct capture c;
    struct capture *part;
    struct shards *shards;
    struct cut_shard *cut; /* sorted by place */
    size_t ncut;
    struct from {
        size_t member; /* of the part; MEMBER_NONE: made */
        const struct settled *made;
        size_t file;   /* of it */
        bool have_sum; /* of a made one; guarded by lock, as the sum is */
        uint8_t sum[SHA256_BYTES];
    } * from;
    bool *gone; /* which members of the part are not in it */
    pthread_mutex_t lock;
};

static struct exact *of(const struct capture *c)
{
    return (struct exact *)c;
}

static void exact_free(struct capture *c)
{
    struct exact *x = of(c);
    for (size_t i = 0; i < x->ncut; i++) {
        settled_free(x->cut[i].settled);
        free(x->cut[i].place);
    }
    shards_free(x->shards);
    capture_unref(x->part);
    pthread_mutex_destroy(&x->lock);
    free(x->cut);
    free(x->from);
    free(x->gone);
    free(c->members);
    free(x);
}

static int exact_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                      struct err *e)
{
    const struct from *f = &of(c)->from[i];
    return f->made ? settled_read(f->made, f->file, buf, n, off, e)
                   : capture_read(of(c)->part, f->member, buf, n, off, e);
}

static void exact_advise(const struct capture *c, size_t i, size_t n, uint64_t off)
{
    const struct from *f = &of(c)->from[i];
    if (!f->made)
        capture_advise(of(c)->part, f->member, n, off);
}

static bool exact_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    struct from *f = &of(c)->from[i];
    if (!f->made)
        return capture_sum(of(c)->part, f->member, out);
    lock_scope(&of(c)->lock);
    if (f->have_sum)
        memcpy(out, f->sum, SHA256_BYTES);
    return f->have_sum;
}

static void exact_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    struct from *f = &of(c)->from[i];
    if (!f->made) {
        capture_set_sum(of(c)->part, f->member, sum);
        return;
    }
    lock_scope(&of(c)->lock);
    memcpy(f->sum, sum, SHA256_BYTES);
    f->have_sum = true;
}

static bool exact_damaged(const struct capture *c, size_t i)
{
    const struct from *f = &of(c)->from[i];
    return !f->made && capture_damaged(of(c)->part, f->member);
}

static void exact_set_damaged(struct capture *c, size_t i)
{
    const struct from *f = &of(c)->from[i];
    if (!f->made)
        capture_set_damaged(of(c)->part, f->member);
}

static int exact_keep_sums(struct capture *c, struct err *e)
{
    return capture_keep_sums(of(c)->part, e);
}

static const struct capture_ops exact_ops = {
    .free = exact_free,
    .read = exact_read,
    .advise = exact_advise,
    .sum = exact_sum,
    .set_sum = exact_set_sum,
    .damaged = exact_damaged,
    .set_damaged = exact_set_damaged,
    .keep_sums = exact_keep_sums,
};

/* What was cut off a damaged segment could be told of no file that is left. */
static int exact_drop_files(struct exact *x, const struct shard_files *sh, struct err *e)
{
    for (size_t i = 0; i < sh->ntsm; i++) {
        x->gone[sh->tsm[i].tsm] = true;
        if (sh->tsm[i].tombstone != MEMBER_NONE)
            x->gone[sh->tsm[i].tombstone] = true;
    }
    for (size_t i = 0; i < sh->nwal; i++) {
        struct err why;
        if (damage_cut_off(x->part, sh->wal[i], &why) < 0)
            return err_set(e, -EBADMSG, "%s; whole shards can be taken all the same", why.text);
        x->gone[sh->wal[i]] = true;
    }
    return 0;
}

static int exact_cut_shard(struct exact *x, const struct shard_files *sh,
                           const struct selected_cutting *how, struct err *e)
{
    const struct selection *what = x->part->origin.selection;
    const struct settled_query q = {
        .capture = x->part,
        .shard = sh,
        .range = {what->from, what->to == INT64_MAX ? INT64_MAX : what->to - 1},
        .folder = how->folder,
        .reader = how->reader};
    if (!array_grow(&x->cut, x->ncut))
        return -ENOMEM;
    struct cut_shard *cut = &x->cut[x->ncut];
    *cut = (struct cut_shard){.files = sh};
    if (asprintf(&cut->place, "data/%s/%s/%" PRIu64, sh->db, sh->rp, sh->id) < 0) {
        cut->place = NULL;
        return -ENOMEM;
    }
    x->ncut++;
    int r = exact_drop_files(x, sh, e);
    return r < 0 ? r : settled_open(&q, &cut->settled, e);
}

static int by_place(const void *a, const void *b)
{
    return strcmp(((const struct cut_shard *)a)->place, ((const struct cut_shard *)b)->place);
}

/* Makes the files of all shards that have times outside. */
static int exact_cut_all(struct exact *x, const struct selected_cutting *how, struct err *e)
{
    const struct selection *what = x->part->origin.selection;
    int r = 0;
    for (size_t i = 0; r == 0 && i < shards_count(x->shards); i++) {
        const struct shard_files *sh = shards_at(x->shards, i);
        if (sh->start < what->from || sh->end > what->to)
            r = exact_cut_shard(x, sh, how, e);
    }
    if (x->ncut)
        qsort(x->cut, x->ncut, sizeof(*x->cut), by_place);
    return r;
}

static int exact_add(struct exact *x, const struct member *m, struct from from)
{
    /* Both lists have as many, and so grow together. */
    if (!array_grow(&x->c.members, x->c.n) || !array_grow(&x->from, x->c.n))
        return -ENOMEM;
    x->from[x->c.n] = from;
    x->c.members[x->c.n++] = *m;
    return 0;
}

/* A file that was made has the owner and mode of one that it was made of. */
static struct member exact_made_member(const struct exact *x, const struct cut_shard *cut,
                                       const struct settled_file *f)
{
    const struct shard_files *sh = cut->files;
    struct member m = *capture_member(x->part, sh->ntsm ? sh->tsm[0].tsm : sh->wal[0]);
    for (size_t i = 0; i < sh->ntsm + sh->nwal; i++) {
        const size_t k = i < sh->ntsm ? sh->tsm[i].tsm : sh->wal[i - sh->ntsm];
        const uint64_t index = capture_member(x->part, k)->index;
        m.index = index > m.index ? index : m.index;
    }
    m.dir = cut->place;
    m.name = f->name;
    m.held = NULL;
    m.wal_cut = NULL;
    m.attr.size = f->size;
    m.attr.mtime_ns = f->mtime_ns;
    return m;
}

static int exact_add_files(struct exact *x, const struct cut_shard *cut)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < settled_count(cut->settled); i++) {
        const struct settled_file *f = settled_at(cut->settled, i);
        const struct from from = {
            .member = f->member, .made = f->member == MEMBER_NONE ? cut->settled : NULL, .file = i};
        const struct member m =
            from.made ? exact_made_member(x, cut, f) : *capture_member(x->part, f->member);
        r = exact_add(x, &m, from);
    }
    return r;
}

/* The part's members, with the files of a cut shard after its folder. */
static int exact_add_members(struct exact *x)
{
    char path[MEMBER_PATH_MAX];
    int r = 0;
    for (size_t i = 0; r == 0 && i < capture_count(x->part); i++) {
        const struct member *m = capture_member(x->part, i);
        if (x->gone[i])
            continue;
        r = exact_add(x, m, (struct from){.member = i});
        if (r < 0 || !member_is_folder(m) || !x->ncut)
            continue;
        const struct cut_shard key = {.place = member_path(m, path)};
        const struct cut_shard *cut = bsearch(&key, x->cut, x->ncut, sizeof(key), by_place);
        if (cut)
            r = exact_add_files(x, cut);
    }
    return r;
}

int selected_exact(struct capture *part, const struct selected_cutting *how, struct capture **out,
                   struct err *e)
{
    struct exact *x = calloc(1, sizeof(*x));
    if (!x) {
        capture_unref(part);
        return err_sys(e, -ENOMEM, "a part of the store");
    }
    atomic_init(&x->c.refs, 1);
    pthread_mutex_init(&x->lock, NULL);
    x->c.ops = &exact_ops;
    x->part = part;
    x->c.left_out = part->left_out;
    x->c.links = part->links;
    x->c.nlinks = part->nlinks;
    x->c.record = part->record;
    x->c.origin = part->origin;
    x->gone = calloc(part->n + 1, sizeof(*x->gone));
    int r = x->gone ? shards_open(part, &x->shards, e) : -ENOMEM;
    if (r == 0)
        r = exact_cut_all(x, how, e);
    if (r == 0)
        r = exact_add_members(x);
    if (r < 0) {
        exact_free(&x->c);
        return e && e->text[0] ? r : err_sys(e, r, "a part of the store");
    }
    *out = &x->c;
    return 0;
}
