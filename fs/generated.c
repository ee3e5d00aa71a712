/* SPDX-License-Identifier: MIT */
#include "fs/generated.h"

#include "fs/ahead.h"
#include "fs/pace.h"
#include "fs/request.h"
#include "store/base/lock.h"
#include "store/snapshot/catalog.h"

#include <errno.h>
#include <stdlib.h>

struct generated_handle {
    struct handle h;
    struct schema_cache *contents;
    struct ahead ahead;
    pthread_mutex_t lock;         /* guards what follows */
    void *text;                   /* NULL: not begun */
    uint64_t at;                  /* its next byte */
    struct request *request;      /* the reader; NULL while reading ahead */
    struct tarball_reader reader; /* asks that request */
};

static const struct node_ops generated_ops;

static const struct generated *generated_of(const struct generated_handle *f)
{
    return (const struct generated *)f->h.node;
}

static void generated_let_go(void *ctx, void *contents)
{
    (void)ctx;
    schema_cache_unref(contents);
}

void generated_files_init(struct fs *fs)
{
    materials_init(&fs->generated, LIFE_DUMP, generated_let_go, NULL);
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
    material_set(&g->fs->generated, &g->contents, schema_cache_ref(c));
}

/* Makes all bytes, to learn the size. */
static int generated_measure(struct generated *g, struct schema_cache *c,
                             const struct tarball_reader *reader, struct err *e)
{
    void *text = NULL;
    ssize_t n = g->maker->begin(g, c, reader, &text, e);
    g->size = 0;
    while (n >= 0 && (n = g->maker->next(text, NULL, SIZE_MAX, e)) > 0) {
        g->size += (uint64_t)n;
        g->fs->counters.sizing += (uint64_t)n;
        if (reader_interrupted(reader))
            n = err_set(e, -EINTR, "interrupted");
    }
    g->maker->end(text);
    return (int)n;
}

int generated_size(struct generated *g, struct schema_cache *c, const uint8_t digest[SHA256_BYTES],
                   const struct tarball_reader *reader, struct err *e)
{
    struct catalog *k = schema_cache_catalog(c);
    struct catalog_derived known = {0};
    if (k && catalog_get_derived(k, digest, &known, NULL) == 0) {
        g->size = known.size;
        return 0;
    }
    int r = generated_measure(g, c, reader, e);
    known.size = g->size;
    /* A size that is not remembered is found again. */
    if (r == 0 && k)
        catalog_put_derived(k, digest, &known, NULL);
    return r;
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
    material_drop(&g->fs->generated, &g->contents);
    free(g);
}

static bool generated_interrupted(void *ctx)
{
    const struct generated_handle *f = ctx;
    return f->request && request_interrupted(f->request);
}

static int generated_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct generated *g = (struct generated *)n;
    autofree struct generated_handle *f = calloc(1, sizeof(*f));
    (void)r, (void)flags;
    if (!f)
        return -ENOMEM;
    f->contents = material_open(&g->fs->generated, &g->contents);
    if (!f->contents)
        return -ESTALE;
    f->reader = (struct tarball_reader){generated_interrupted, f};
    pace_look(g->fs->pace);
    pthread_mutex_init(&f->lock, NULL);
    ahead_init(&f->ahead);
    *h = &steal_ptr(&f)->h;
    return 0;
}

static void generated_release(struct handle *h)
{
    struct generated_handle *f = (struct generated_handle *)h;
    struct generated *g = (struct generated *)h->node;
    ahead_clear(&f->ahead);
    g->maker->end(f->text);
    material_close(&g->fs->generated, &g->contents);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Called with the lock, as are all that follow. */
static void generated_end(struct generated_handle *f)
{
    generated_of(f)->maker->end(f->text);
    f->text = NULL;
    f->at = 0;
}

/* The text must be as long as promised. */
static int generated_check_end(struct generated_handle *f, struct err *e)
{
    char more;
    if (f->at < generated_of(f)->size)
        return 0;
    ssize_t got = generated_of(f)->maker->next(f->text, &more, 1, e);
    return got > 0 ? err_set(e, -EIO, "the text is longer than it was") : (int)got;
}

/* The n bytes at off, which lie within the file. */
static int generated_make(struct generated_handle *f, char *buf, size_t n, uint64_t off,
                          struct err *e)
{
    int r = 0;
    if (!f->text || f->at > off) {
        generated_end(f);
        r = generated_of(f)->maker->begin(generated_of(f), f->contents, &f->reader, &f->text, e);
    }
    while (r == 0 && f->at < off + n) {
        bool skip = f->at < off;
        uint64_t want = skip ? off - f->at : off + n - f->at;
        ssize_t got =
            generated_of(f)->maker->next(f->text, skip ? NULL : buf + (f->at - off), want, e);
        if (got <= 0)
            r = got < 0 ? (int)got : err_set(e, -EIO, "the text is shorter than it was");
        else if (skip && generated_interrupted(f))
            r = err_set(e, -EINTR, "interrupted");
        f->at += got > 0 ? (uint64_t)got : 0;
    }
    if (r == 0)
        r = generated_check_end(f, e);
    if (r < 0)
        generated_end(f);
    return r;
}

/* How many of the n bytes at off exist. */
static size_t generated_within(const struct generated_handle *f, size_t n, uint64_t off)
{
    uint64_t size = generated_of(f)->size;
    return off >= size ? 0 : n < size - off ? n : (size_t)(size - off);
}

static int generated_read_for(struct request *r, struct generated_handle *f, char *buf, size_t n,
                              uint64_t off, struct err *e)
{
    lock_scope(&f->lock);
    f->request = r;
    int rc = generated_make(f, buf, n, off, e);
    f->request = NULL;
    return rc;
}

static ssize_t generated_read(struct request *r, struct handle *h, char **buf, size_t n,
                              uint64_t off)
{
    struct generated_handle *f = (struct generated_handle *)h;
    struct err e = {0};
    int rc = 0;
    n = generated_within(f, n, off);
    if (ahead_take(&f->ahead, buf, n, off) == 0 && n > 0)
        rc = generated_read_for(r, f, *buf, n, off, &e);
    if (rc < 0) {
        ahead_go_on(&f->ahead, 0, off, NULL, NULL);
        return generated_of(f)->maker->failed(generated_of(f), rc, &e);
    }
    pace_wait(r->fs->pace, n, request_interrupted, r);
    return (ssize_t)n;
}

/* The reader may have been faster: then the text is further on, and must not restart. */
static ssize_t generated_read_ahead(void *ctx, void *buf, size_t n, uint64_t off)
{
    struct generated_handle *f = ctx;
    struct err e = {0};
    n = generated_within(f, n, off);
    pthread_mutex_lock(&f->lock);
    int r = f->text && f->at == off ? generated_make(f, buf, n, off, &e) : -EAGAIN;
    pthread_mutex_unlock(&f->lock);
    return r < 0 ? r : (ssize_t)n;
}

static void generated_has_read(struct handle *h, size_t n, uint64_t off)
{
    struct generated_handle *f = (struct generated_handle *)h;
    bool more = n > 0 && generated_within(f, n, off + n) > 0;
    ahead_go_on(&f->ahead, n, off, more ? generated_read_ahead : NULL, f);
}

static const struct node_ops generated_ops = {
    .getattr = generated_getattr,
    .free = generated_free,
    .open = generated_open,
    .read = generated_read,
    .has_read = generated_has_read,
    .release = generated_release,
};
