/* SPDX-License-Identifier: MIT */
/* The files of dump/: made while they are read, forward from where the last read ended. */
#include "fs/ahead.h"
#include "fs/dumps_internal.h"
#include "fs/pace.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dumpfile {
    struct handle h;
    struct schema_cache *contents;
    struct ahead ahead;
    pthread_mutex_t lock; /* guards what follows */
    struct dump *dump;    /* NULL: to be begun */
    uint64_t at;          /* its next byte */
    struct dump_query query;
    struct tarball_reader reader; /* of the query: asks whoever reads just now */
    struct request *request;      /* NULL: nobody does, it is read ahead */
};

static bool handle_interrupted(void *ctx)
{
    const struct dumpfile *f = ctx;
    return f->request && request_interrupted(f->request);
}

static struct dump_node *node_of(const struct handle *h)
{
    return (struct dump_node *)h->node;
}

/* What tells a query from others, in buf, of which the caller frees the memory. */
static char *query_key(const struct dump_query *q, const void *tail, size_t ntail, size_t *n)
{
    size_t ndb = strlen(q->db) + 1, nrp = strlen(q->rp) + 1;
    const int64_t numbers[] = {q->from, q->to, q->format};
    char *key = malloc(sizeof(numbers) + ndb + nrp + q->n + 1 + ntail), *p = key;
    if (!key)
        return NULL;
    p = mempcpy(p, "", 1); /* no folder's path */
    p = mempcpy(p, numbers, sizeof(numbers));
    p = mempcpy(p, q->db, ndb);
    p = mempcpy(p, q->rp, nrp);
    p = mempcpy(p, q->measurement, q->n);
    if (ntail)
        p = mempcpy(p, tail, ntail);
    *n = (size_t)(p - key);
    return key;
}

ino_t dumpfile_ino(const struct dump_query *q)
{
    size_t n = 0;
    autofree char *key = query_key(q, NULL, 0, &n);
    return key ? dumps_ino(key, n) : dumps_ino(q->measurement, q->n);
}

static const struct node_ops file_ops;

/* Makes a node what it is from now on made of. */
static void use(struct dump_node *n, struct schema_cache *c)
{
    pthread_mutex_lock(&n->all->lock);
    struct schema_cache *old = n->contents;
    n->contents = schema_cache_ref(c);
    n->used_ns = io_mono_ns();
    pthread_mutex_unlock(&n->all->lock);
    schema_cache_unref(old);
}

static int make_node(struct request *r, const struct dump_node *dir, struct schema_cache *c,
                     const struct dump_query *q, const uint8_t digest[SHA256_BYTES],
                     struct dump_node **out, struct err *e)
{
    struct dump_node proto = {.format = q->format, .db = dir->db, .rp = dir->rp, .query = *q};
    size_t n;
    autofree char *key = query_key(q, digest, SHA256_BYTES, &n);
    if (!key)
        return -ENOMEM;
    *out = dumps_find(r->fs->dumps, key, n);
    if (*out)
        return 0;
    proto.query.reader = NULL;
    proto.ino = dumpfile_ino(q);
    int rc = dump_size(c, q, digest, &proto.size, e);
    if (rc == 0)
        rc = dump_mtime(c, q, &proto.mtime_ns, e);
    return rc < 0 ? rc : dumps_node(r->fs->dumps, &file_ops, &proto, key, n, out);
}

int dumpfile_lookup(struct request *r, const struct dump_node *dir, struct schema_cache *c,
                    const struct dump_query *query, struct node **out)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct dump_query q = *query;
    uint8_t digest[SHA256_BYTES];
    struct dump_node *n = NULL;
    struct err e = {0};
    q.reader = &reader;
    int rc = dump_digest(c, &q, digest, &e);
    if (rc == 0)
        rc = make_node(r, dir, c, &q, digest, &n, &e);
    if (rc < 0)
        return dumps_failed(r->fs, dir, rc, &e);
    use(n, c);
    *out = &n->node;
    return 0;
}

static int file_getattr(struct request *r, struct node *node, struct handle *h, struct stat *st)
{
    const struct dump_node *n = (const struct dump_node *)node;
    (void)h;
    fs_attr(r->fs, st, n->ino, S_IFREG | 0400, n->size, n->mtime_ns);
    return 0;
}

static int file_open(struct request *r, struct node *node, int flags, struct handle **h)
{
    struct dump_node *n = (struct dump_node *)node;
    struct dumpfile *f = calloc(1, sizeof(*f));
    (void)flags;
    if (!f)
        return -ENOMEM;
    pthread_mutex_lock(&n->all->lock);
    f->contents = n->contents ? schema_cache_ref(n->contents) : NULL;
    n->open += f->contents != NULL;
    pthread_mutex_unlock(&n->all->lock);
    if (!f->contents) {
        free(f);
        return -ESTALE;
    }
    pace_look(r->fs->pace);
    pthread_mutex_init(&f->lock, NULL);
    ahead_init(&f->ahead);
    *h = &f->h;
    return 0;
}

static void file_release(struct handle *h)
{
    struct dumpfile *f = (struct dumpfile *)h;
    struct dump_node *n = node_of(h);
    ahead_clear(&f->ahead);
    dump_free(f->dump);
    pthread_mutex_lock(&n->all->lock);
    n->open--;
    n->used_ns = io_mono_ns();
    pthread_mutex_unlock(&n->all->lock);
    schema_cache_unref(f->contents);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static int begin(struct dumpfile *f, struct err *e)
{
    f->query = node_of(&f->h)->query;
    f->reader = (struct tarball_reader){handle_interrupted, f};
    f->query.reader = &f->reader;
    dump_free(f->dump);
    f->dump = NULL;
    f->at = 0;
    return dump_open(f->contents, &f->query, &f->dump, e);
}

/* The text must be as long as was said. */
static int check_end(struct dumpfile *f, struct err *e)
{
    char more;
    if (f->at < node_of(&f->h)->size)
        return 0;
    ssize_t got = dump_read(f->dump, &more, 1, e);
    return got > 0 ? err_set(e, -EIO, "the text is longer than it was") : (int)got;
}

/* The n bytes at off, which lie within the text. Called with the lock. */
static int make(struct dumpfile *f, char *buf, size_t n, uint64_t off, struct err *e)
{
    int r = !f->dump || f->at > off ? begin(f, e) : 0;
    while (r == 0 && f->at < off + n) {
        bool skip = f->at < off;
        uint64_t want = skip ? off - f->at : off + n - f->at;
        ssize_t got = dump_read(f->dump, skip ? NULL : buf + (f->at - off), want, e);
        if (got <= 0)
            r = got < 0 ? (int)got : err_set(e, -EIO, "the text is shorter than it was");
        else if (skip && handle_interrupted(f))
            r = err_set(e, -EINTR, "interrupted");
        f->at += got > 0 ? (uint64_t)got : 0;
    }
    if (r == 0)
        r = check_end(f, e);
    if (r < 0) {
        dump_free(f->dump);
        f->dump = NULL;
    }
    return r;
}

static int read_at(struct request *r, struct dumpfile *f, char *buf, size_t n, uint64_t off,
                   struct err *e)
{
    pthread_mutex_lock(&f->lock);
    f->request = r;
    int rc = make(f, buf, n, off, e);
    f->request = NULL;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* How many of n bytes at off there are. */
static size_t within(const struct dumpfile *f, size_t n, uint64_t off)
{
    uint64_t size = node_of(&f->h)->size;
    return off >= size ? 0 : n < size - off ? n : (size_t)(size - off);
}

static ssize_t file_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    struct dumpfile *f = (struct dumpfile *)h;
    struct err e = {0};
    int rc = 0;
    n = within(f, n, off);
    if (ahead_take(&f->ahead, buf, n, off) == 0 && n > 0)
        rc = read_at(r, f, *buf, n, off, &e);
    if (rc < 0) {
        ahead_go_on(&f->ahead, 0, off, NULL, NULL);
        return dumps_failed(r->fs, node_of(h), rc, &e);
    }
    pace_wait(r->fs->pace, n, request_interrupted, r);
    return (ssize_t)n;
}

/* The reader may have been faster: then the text is further on, and must not begin again. */
static ssize_t read_quietly(void *ctx, void *buf, size_t n, uint64_t off)
{
    struct dumpfile *f = ctx;
    struct err e = {0};
    n = within(f, n, off);
    pthread_mutex_lock(&f->lock);
    int r = f->dump && f->at == off ? make(f, buf, n, off, &e) : -EAGAIN;
    pthread_mutex_unlock(&f->lock);
    return r < 0 ? r : (ssize_t)n;
}

static void file_has_read(struct handle *h, size_t n, uint64_t off)
{
    struct dumpfile *f = (struct dumpfile *)h;
    bool more = n > 0 && within(f, n, off + n) > 0;
    ahead_go_on(&f->ahead, n, off, more ? read_quietly : NULL, f);
}

static const struct node_ops file_ops = {
    .attr_timeout = NODE_FOR_EVER,
    .direct = true,
    .getattr = file_getattr,
    .free = dumps_node_free,
    .open = file_open,
    .read = file_read,
    .has_read = file_has_read,
    .release = file_release,
};
