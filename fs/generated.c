/* SPDX-License-Identifier: MIT */
#include "fs/generated.h"

#include "fs/generated_files.h"
#include "fs/makings.h"
#include "fs/pace.h"
#include "fs/request.h"
#include "fs/textmarks.h"
#include "store/base/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* A mark of a million series has 4 MiB, one of line protocol a hundred bytes. */
#define MARKS_BUDGET ((size_t)8 << 20)
#define MARKS_APART MAKING_WINDOW

struct generated_handle {
    struct handle h;
    struct schema_cache *contents;
    pthread_mutex_t lock; /* one read at a time */
    struct making_reader reader;
};

static const struct node_ops generated_ops;

static void generated_let_go(void *ctx, void *contents)
{
    (void)ctx;
    schema_cache_unref(contents);
}

int generated_files_new(struct fs *fs)
{
    struct generated_files *all = calloc(1, sizeof(*all));
    struct textmarks *marks = textmarks_new(MARKS_BUDGET, MARKS_APART);
    if (!all || !marks) {
        free(all);
        textmarks_free(marks);
        return -ENOMEM;
    }
    all->marks = marks;
    pthread_mutex_init(&all->lock, NULL);
    materials_init(&all->contents, LIFE_DUMP, generated_let_go, NULL);
    fs->generated = all;
    return 0;
}

void generated_files_end(struct generated_files *all)
{
    struct generated *g;
    if (!all)
        return;
    DL_FOREACH(all->files, g)
    {
        makings_free(steal_ptr(&g->makings));
    }
}

void generated_files_free(struct generated_files *all)
{
    if (!all)
        return;
    materials_clear(&all->contents);
    textmarks_free(all->marks);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void generated_init(struct generated *g, struct fs *fs, const struct generated_maker *maker,
                    ino_t ino, const struct node *dir)
{
    node_init(&g->node, &generated_ops, NODE_DUMP, ino, dir);
    g->fs = fs;
    g->maker = maker;
}

void generated_made_of(struct generated *g, struct schema_cache *c)
{
    material_set(&g->fs->generated->contents, &g->contents, schema_cache_ref(c));
}

static int generated_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct generated *g = (const struct generated *)n;
    (void)r, (void)h;
    fs_attr(g->fs, st, n, S_IFREG | 0400, g->size, g->mtime_ns);
    return 0;
}

static void generated_free(struct node *n)
{
    struct generated *g = (struct generated *)n;
    material_drop(&g->fs->generated->contents, &g->contents);
    free(g);
}

/* One more handle of g. 0 or -ENOMEM. */
static int generated_enter(struct generated *g)
{
    struct generated_files *all = g->fs->generated;
    lock_scope(&all->lock);
    if (!g->makings && !(g->makings = makings_new(g)))
        return -ENOMEM;
    if (g->open++ == 0)
        DL_APPEND(all->files, g);
    return 0;
}

/* One handle of g less. The last one ends what is being made. */
static void generated_leave(struct generated *g)
{
    struct generated_files *all = g->fs->generated;
    struct makings *over = NULL;
    pthread_mutex_lock(&all->lock);
    if (--g->open == 0) {
        DL_DELETE(all->files, g);
        over = steal_ptr(&g->makings);
    }
    pthread_mutex_unlock(&all->lock);
    makings_free(over);
}

static int generated_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct generated *g = (struct generated *)n;
    autofree struct generated_handle *f = calloc(1, sizeof(*f));
    (void)r, (void)flags;
    if (!f)
        return -ENOMEM;
    f->contents = material_open(&g->fs->generated->contents, &g->contents);
    if (!f->contents)
        return -ESTALE;
    int rc = generated_enter(g);
    if (rc < 0) {
        material_close(&g->fs->generated->contents, &g->contents);
        return rc;
    }
    pace_look(g->fs->pace);
    pthread_mutex_init(&f->lock, NULL);
    *h = &steal_ptr(&f)->h;
    return 0;
}

static void generated_release(struct handle *h)
{
    struct generated_handle *f = (struct generated_handle *)h;
    struct generated *g = (struct generated *)h->node;
    makings_leave(g->makings, &f->reader);
    generated_leave(g);
    material_close(&g->fs->generated->contents, &g->contents);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* How many of the n bytes at off exist. */
static size_t generated_within(const struct generated *g, size_t n, uint64_t off)
{
    return off >= g->size ? 0 : n < g->size - off ? n : (size_t)(g->size - off);
}

static ssize_t generated_read(struct request *r, struct handle *h, char **buf, size_t n,
                              uint64_t off)
{
    struct generated_handle *f = (struct generated_handle *)h;
    const struct generated *g = (const struct generated *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err e = {0};
    n = generated_within(g, n, off);
    int rc = lock_unless(&f->lock, request_interrupted, r);
    if (rc < 0)
        return rc;
    if (n > 0)
        rc = makings_read(g->makings, f->contents, &f->reader, &who, *buf, n, off, &e);
    pthread_mutex_unlock(&f->lock);
    if (rc < 0)
        return g->maker->failed(g, rc, &e);
    pace_wait(r->fs->pace, n, request_interrupted, r);
    return (ssize_t)n;
}

static const struct node_ops generated_ops = {
    .getattr = generated_getattr,
    .free = generated_free,
    .open = generated_open,
    .read = generated_read,
    .release = generated_release,
};
