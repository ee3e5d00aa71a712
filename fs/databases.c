/* SPDX-License-Identifier: MIT */
#include "fs/databases.h"

#include "fs/branches.h"
#include "fs/now.h"
#include "fs/request.h"
#include "fs/status.h"
#include "fs/tarfile.h"
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/export/dump_name.h"
#include "store/rewrite/selected.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define TAR ".tar"

/* The databases of one instant. */
struct prepared {
    uint64_t instant;
    struct selected_all *all;
    struct file {
        char name[DUMP_NAME_MAX + 1];
        size_t i; /* which database */
    } * files;    /* sorted by name */
    size_t n;
    unsigned refs; /* guarded by databases.lock, as the list is */
    struct prepared *next;
};

struct databases {
    struct fs *fs;
    pthread_mutex_t making; /* one instant is prepared at a time; taken before: */
    pthread_mutex_t lock;
    struct prepared *list;
    struct prepared *newest; /* a reference */
};

struct database_node {
    struct tarfile_node file;
    struct databases *all;
    struct prepared *of;
    char path[sizeof("databases/") + DUMP_NAME_MAX]; /* below the mount, for status.json */
    struct {
        uint64_t instant;
        size_t i; /* among the databases of the instant */
    } key;
};

struct database_handle {
    struct tarfile file;
    struct tarball *tar;
    struct instant_hold *hold;
};

static const struct node_ops database_ops, folder_ops;

int databases_new(struct fs *fs, struct node **out)
{
    struct databases *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->fs = fs;
    pthread_mutex_init(&d->making, NULL);
    pthread_mutex_init(&d->lock, NULL);
    fs->databases = d;
    return node_new(fs->nodes, &folder_ops, NODE_FOLDER, INO_DATABASES, out);
}

static void prepared_free(struct prepared *p)
{
    selected_all_free(p->all);
    free(p->files);
    free(p);
}

static void databases_put(struct databases *d, struct prepared *p)
{
    pthread_mutex_lock(&d->lock);
    bool last = p && --p->refs == 0;
    if (last)
        LL_DELETE(d->list, p);
    pthread_mutex_unlock(&d->lock);
    if (last)
        prepared_free(p);
}

void databases_free(struct databases *d)
{
    if (!d)
        return;
    databases_put(d, d->newest);
    pthread_mutex_destroy(&d->making);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static int databases_name_files(struct prepared *p)
{
    p->n = selected_all_count(p->all);
    p->files = calloc(p->n + 1, sizeof(*p->files));
    if (!p->files)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        const char *db = selected_all_name(p->all, i);
        p->files[i].i = i;
        dump_name_within((struct slice){db, strlen(db)}, DUMP_NAME_MAX - strlen(TAR),
                         p->files[i].name);
        strcat(p->files[i].name, TAR);
    }
    if (p->n)
        qsort(p->files, p->n, sizeof(*p->files), by_name);
    return 0;
}

static int databases_prepare(struct databases *d, const struct instant *i,
                             const struct tarball_reader *reader, struct prepared **out,
                             struct err *e)
{
    struct prepared *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->instant = instant_id(i);
    p->refs = 1;
    int r = selected_all_new(tarball_capture(instant_tarball(i)),
                             snapshots_catalog(d->fs->snapshots), reader, &p->all, e);
    if (r == 0)
        r = databases_name_files(p);
    if (r < 0)
        prepared_free(p);
    else
        *out = p;
    return r;
}

static struct prepared *databases_known(struct databases *d, uint64_t instant)
{
    struct prepared *p;
    lock_scope(&d->lock);
    LL_SEARCH_SCALAR(d->list, p, instant, instant);
    if (p)
        p->refs++;
    return p;
}

/* Adds p as the newest one. */
static void databases_keep(struct databases *d, struct prepared *p)
{
    pthread_mutex_lock(&d->lock);
    struct prepared *before = d->newest;
    p->refs++;
    d->newest = p;
    LL_PREPEND(d->list, p);
    pthread_mutex_unlock(&d->lock);
    databases_put(d, before);
}

static int databases_failed(struct fs *fs, const char *path, int r, const struct err *e)
{
    if (r == -EINTR)
        return r;
    status_failed(fs->status, path, e->text[0] ? e->text : strerror(-r));
    return r == -ENOMEM || r == -ENFILE || r == -EMFILE ? r : -EIO;
}

/* The databases of an instant; another thread may be preparing them. */
static int databases_of(struct request *r, const struct instant *i, struct prepared **out,
                        struct err *e)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct databases *d = r->fs->databases;
    int rc = lock_unless(&d->making, request_interrupted, r);
    if (rc < 0)
        return rc;
    *out = databases_known(d, instant_id(i));
    if (!*out && (rc = databases_prepare(d, i, &reader, out, e)) == 0)
        databases_keep(d, *out);
    pthread_mutex_unlock(&d->making);
    return rc;
}

/* The databases of the caller's instant. The caller owes databases_put and instant_put. */
static int databases_get(struct request *r, struct instant **i, struct prepared **out)
{
    struct err e = {0};
    int rc = now_instant(r, "databases/", i);
    if (rc < 0)
        return rc;
    if ((rc = databases_of(r, *i, out, &e)) < 0) {
        instant_put(*i);
        return databases_failed(r->fs, "databases/", rc, &e);
    }
    return 0;
}

/* The tar of one database, laid out. */
static int databases_tar(struct fs *fs, const struct prepared *p, size_t i,
                         const struct instant *instant, struct tarball **out, struct err *e)
{
    struct capture *c;
    int r = selected_all_capture(p->all, i, tarball_capture(instant_tarball(instant)), &c, e);
    return r < 0 ? r : snapshots_tarball(fs->snapshots, c, out);
}

static ino_t database_ino(const char *db)
{
    return ino_hashed(INO_IN_DATABASES, ino_hash(INO_HASH, db, strlen(db)));
}

static void database_node_free(struct node *n)
{
    struct database_node *k = (struct database_node *)n;
    databases_put(k->all, k->of);
    free(k);
}

/* Takes over the reference to p. */
static int database_node(struct fs *fs, const struct node *dir, struct prepared *p,
                         const struct file *f, const struct tarball *t, struct node **out)
{
    struct database_node *k = calloc(1, sizeof(*k));
    if (!k) {
        databases_put(fs->databases, p);
        return -ENOMEM;
    }
    node_init(&k->file.node, &database_ops, NODE_NOW, database_ino(selected_all_name(p->all, f->i)),
              dir);
    k->file.size = tarball_size(t);
    k->file.mtime_ns = tarball_mtime_ns(t);
    k->all = fs->databases;
    k->of = p;
    k->key.instant = p->instant;
    k->key.i = f->i;
    strcpy(stpcpy(k->path, "databases/"), f->name);
    return node_find_or_add(fs->nodes, &k->file.node, &k->key, sizeof(k->key), out);
}

static int databases_find(struct request *r, const struct node *dir, const struct file *f,
                          struct prepared *p, const struct instant *i, struct node **child)
{
    const struct database_node like = {.key = {p->instant, f->i}};
    cleanup(tarball_unrefp) struct tarball *t = NULL;
    struct err e = {0};
    *child = node_find(r->fs->nodes, NODE_NOW, &like.key, sizeof(like.key));
    int rc = *child ? 0 : databases_tar(r->fs, p, f->i, i, &t, &e);
    if (*child || rc < 0)
        databases_put(r->fs->databases, p);
    if (rc < 0)
        return databases_failed(r->fs, "databases/", rc, &e);
    return *child ? 0 : database_node(r->fs, dir, p, f, t, child);
}

static int databases_lookup(struct request *r, struct node *dir, const char *name,
                            struct node **child)
{
    struct file wanted;
    struct prepared *p;
    struct instant *i;
    size_t len = strlen(name);
    if (len > DUMP_NAME_MAX)
        return -ENAMETOOLONG;
    if (len <= strlen(TAR) || strcmp(name + len - strlen(TAR), TAR) != 0)
        return -ENOENT;
    int rc = databases_get(r, &i, &p);
    if (rc < 0)
        return rc;
    strcpy(wanted.name, name);
    const struct file *f = bsearch(&wanted, p->files, p->n, sizeof(*p->files), by_name);
    if (f)
        rc = databases_find(r, dir, f, p, i, child);
    else
        databases_put(r->fs->databases, p);
    instant_put(i);
    return f ? rc : -ENOENT;
}

static int databases_list(struct request *r, struct node *dir, struct names *out)
{
    struct prepared *p;
    struct instant *i;
    (void)dir;
    int rc = databases_get(r, &i, &p);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc; /* there is no store */
    for (size_t k = 0; rc == 0 && k < p->n; k++)
        rc = names_add(out, p->files[k].name,
                       database_ino(selected_all_name(p->all, p->files[k].i)), S_IFREG);
    databases_put(r->fs->databases, p);
    instant_put(i);
    return rc;
}

static int database_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    const struct database_node *k = (const struct database_node *)n;
    struct err e = {0};
    autofree struct database_handle *dh = calloc(1, sizeof(*dh));
    (void)flags;
    int rc = dh ? now_hold(r, k->key.instant, &dh->hold) : -ENOMEM;
    if (rc < 0)
        return rc;
    rc = databases_tar(r->fs, k->of, k->key.i, instant_held(dh->hold), &dh->tar, &e);
    if (rc < 0) {
        instant_close(dh->hold);
        return databases_failed(r->fs, k->path, rc, &e);
    }
    tarfile_init(r->fs, &dh->file, dh->tar, k->path);
    *h = &steal_ptr(&dh)->file.h;
    return 0;
}

static void database_release(struct handle *h)
{
    struct database_handle *dh = (struct database_handle *)h;
    tarfile_clear(&dh->file);
    tarball_unref(dh->tar);
    instant_close(dh->hold);
    free(dh);
}

static const struct node_ops database_ops = {
    .getattr = tarfile_getattr,
    .free = database_node_free,
    .open = database_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = database_release,
};

static const struct node_ops folder_ops = {
    .getattr = folder_getattr,
    .free = node_free,
    .lookup = databases_lookup,
    .list = databases_list,
};
