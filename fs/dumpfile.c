/* SPDX-License-Identifier: MIT */
/* The files of dump/ (generated.h). */
#include "fs/dumps_internal.h"
#include "fs/generated.h"
#include "fs/request.h"
#include "store/base/lock.h"
#include "store/points/points_types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dumpfile {
    struct generated g;
    struct dump_query query; /* its names lie in the key */
    size_t nkey;
    char key[]; /* what is asked for, and the digest of the text */
};

/* A dump that is being made, and its share of the memory for all. */
struct dumptext {
    struct dump *dump;
    struct dumps *all;
    size_t memory; /* bytes */
};

/* What one dump takes at least, as with less it would ask its file for each row several times. */
#define LEAST_SHARE ((size_t)1 << 20)

/* With more, line protocol is no faster: it has nothing for each series. */
#define ENOUGH_FOR_LINES ((size_t)8 << 20)

/* Half of what is left, so that the first one has most; but something in any case. */
static size_t dumpfile_share(struct dumps *all, enum dump_format format)
{
    size_t whole = all->fs->options->memory ? all->fs->options->memory : POINTS_MEMORY;
    lock_scope(&all->lock);
    size_t left = whole > all->memory ? whole - all->memory : 0;
    size_t share = left / 2 > whole / 16 ? left / 2 : whole / 16;
    share = format != DUMP_LP || share < ENOUGH_FOR_LINES ? share : ENOUGH_FOR_LINES;
    share = share > LEAST_SHARE ? share : LEAST_SHARE;
    all->memory += share;
    return share;
}

static void dumpfile_end(void *text)
{
    struct dumptext *t = text;
    if (!t)
        return;
    dump_free(t->dump);
    pthread_mutex_lock(&t->all->lock);
    t->all->memory -= t->memory;
    pthread_mutex_unlock(&t->all->lock);
    free(t);
}

static int dumpfile_begin(const struct generated *g, struct schema_cache *c,
                          const struct tarball_reader *reader, const struct buffer *mark,
                          void **text, struct err *e)
{
    struct dump_query q = ((const struct dumpfile *)g)->query;
    struct dumptext *t = calloc(1, sizeof(*t));
    if (!t)
        return err_sys(e, -ENOMEM, "a dump");
    t->all = g->fs->dumps;
    t->memory = dumpfile_share(t->all, q.format);
    q.memory = t->memory;
    q.folder = t->all->fs->state;
    q.spilled = &t->all->spilled;
    q.reader = reader;
    int r = dump_open(c, &q, &t->dump, e);
    if (r == 0 && mark)
        r = dump_resume(t->dump, (struct slice){mark->p, mark->n}, e);
    if (r == 0)
        *text = t;
    else
        dumpfile_end(t);
    return r;
}

static int dumpfile_mark(void *text, struct buffer *mark)
{
    return dump_mark(((struct dumptext *)text)->dump, mark);
}

static ssize_t dumpfile_next(void *text, void *buf, size_t n, struct err *e)
{
    return dump_read(((struct dumptext *)text)->dump, buf, n, e);
}

static int dumpfile_failed(const struct generated *g, int r, const struct err *e)
{
    return dumps_failed(g->fs, &((const struct dumpfile *)g)->query, r, e);
}

static const struct generated_maker dump_maker = {
    .begin = dumpfile_begin,
    .next = dumpfile_next,
    .mark = dumpfile_mark,
    .end = dumpfile_end,
    .failed = dumpfile_failed,
};

ino_t dumpfile_ino(const struct dump_query *q)
{
    const int64_t range[] = {q->from, q->to, q->format};
    uint64_t h = ino_hash(INO_HASH, "", 1); /* no folder's path */
    h = ino_hash(h, range, sizeof(range));
    h = ino_hash(h, q->db, strlen(q->db) + 1);
    h = ino_hash(h, q->rp, strlen(q->rp) + 1);
    return ino_hashed(INO_IN_DUMP, ino_hash(h, q->measurement, q->n));
}

/* NULL: out of memory. */
static struct dumpfile *dumpfile_new(struct fs *fs, const struct node *dir,
                                     const struct dump_query *q, const uint8_t digest[SHA256_BYTES])
{
    const int64_t range[] = {q->from, q->to, q->format};
    size_t ndb = strlen(q->db) + 1, nrp = strlen(q->rp) + 1;
    size_t nkey = sizeof(range) + ndb + nrp + q->n + SHA256_BYTES;
    struct dumpfile *f = calloc(1, sizeof(*f) + nkey);
    if (!f)
        return NULL;
    generated_init(&f->g, fs, &dump_maker, dumpfile_ino(q), dir);
    f->query = *q;
    f->query.reader = NULL;
    f->nkey = nkey;
    char *p = mempcpy(f->key, range, sizeof(range));
    f->query.db = p;
    f->query.rp = p = mempcpy(p, q->db, ndb);
    f->query.measurement = p = mempcpy(p, q->rp, nrp);
    p = mempcpy(p, q->measurement, q->n);
    memcpy(p, digest, SHA256_BYTES);
    return f;
}

/* The node of a query whose text has this digest, pinned. */
static int dumpfile_node(struct fs *fs, const struct node *dir, struct schema_cache *c,
                         const struct dump_query *q, const uint8_t digest[SHA256_BYTES],
                         struct node **out, struct err *e)
{
    struct dumpfile *f = dumpfile_new(fs, dir, q, digest);
    if (!f)
        return -ENOMEM;
    *out = node_find(fs->nodes, NODE_DUMP, f->key, f->nkey);
    int r = *out ? 0 : generated_size(&f->g, c, digest, q->reader, e);
    if (!*out && r == 0)
        r = dump_mtime(c, q, &f->g.mtime_ns, e);
    if (!*out && r == 0)
        return node_find_or_add(fs->nodes, &f->g.node, f->key, f->nkey, out);
    free(f);
    return r;
}

int dumpfile_lookup(struct request *r, const struct node *dir, struct schema_cache *c,
                    const struct dump_query *query, struct node **out)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct dump_query q = *query;
    uint8_t digest[SHA256_BYTES];
    struct err e = {0};
    q.reader = &reader;
    int rc = dump_digest(c, &q, digest, &e);
    if (rc == 0)
        rc = dumpfile_node(r->fs, dir, c, &q, digest, out, &e);
    if (rc < 0)
        return dumps_failed(r->fs, &q, rc, &e);
    generated_made_of((struct generated *)*out, c);
    return 0;
}
