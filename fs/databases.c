/* SPDX-License-Identifier: MIT */
#include "fs/databases.h"

#include "fs/branches.h"
#include "fs/parts.h"
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
#include <uthash.h>

#define FOLDER "databases/"
#define TAR ".tar"

/* The databases that a meta.db knows. */
struct database_names {
    uint64_t instant;     /* of meta.db alone */
    struct capture *from; /* that has it, a reference; NULL: one that holds more than that */
    struct partmeta *store;
    struct database_name {
        char file[DUMP_NAME_MAX + 1];
        const char *db; /* of store */
    } * at;             /* sorted by file */
    size_t n;
    unsigned refs; /* guarded by databases.lock */
};

/* A state of a database as a file. */
struct database_state {
    char id[CATALOG_ID_HEX + 1];
    uint64_t size;
    int64_t mtime_ns;
};

/* The last state of a database that was found, by the id of the capture that it was found in: the same
 * id, the same state. */
struct database_seen {
    char in[CATALOG_ID_HEX + 1];
    struct database_state state;
    UT_hash_handle hh;
    char db[];
};

struct databases {
    pthread_mutex_t lock; /* guards: */
    struct database_names *newest;
    struct database_seen *seen;
};

struct database_node {
    struct tarfile_node file;
    char id[CATALOG_ID_HEX + 1];                   /* of its state: the key */
    char path[sizeof(FOLDER TAR) + DUMP_NAME_MAX]; /* below the mount, for status.json */
    char db[];
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
    pthread_mutex_init(&d->lock, NULL);
    fs->databases = d;
    return node_new(fs->nodes, &folder_ops, NODE_FOLDER, INO_DATABASES, out);
}

static void names_free(struct database_names *l)
{
    if (!l)
        return;
    partmeta_free(l->store);
    capture_unref(l->from);
    free(l->at);
    free(l);
}

static void databases_put_names(struct databases *d, struct database_names *l)
{
    pthread_mutex_lock(&d->lock);
    const bool last = l && --l->refs == 0;
    pthread_mutex_unlock(&d->lock);
    if (last)
        names_free(l);
}

void databases_free(struct databases *d)
{
    struct database_seen *seen, *next;
    if (!d)
        return;
    databases_put_names(d, d->newest);
    HASH_ITER(hh, d->seen, seen, next)
    {
        HASH_DEL(d->seen, seen);
        free(seen);
    }
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* Names */

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct database_name *)a)->file, ((const struct database_name *)b)->file);
}

static int databases_fill_names(struct database_names *l)
{
    l->n = partmeta_count(l->store);
    l->at = calloc(l->n + 1, sizeof(*l->at));
    if (!l->at)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        const char *db = l->at[i].db = partmeta_name(l->store, i);
        dump_name_within((struct slice){db, strlen(db)}, DUMP_NAME_MAX - strlen(TAR),
                         l->at[i].file);
        strcat(l->at[i].file, TAR);
    }
    if (l->n)
        qsort(l->at, l->n, sizeof(*l->at), by_file);
    return 0;
}

static int databases_make_names(const struct instant *i, struct database_names **out, struct err *e)
{
    struct database_names *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->instant = instant_id(i);
    l->refs = 1;
    cleanup(capture_unrefp) struct capture *c = instant_capture(i);
    int r = selected_read_meta(c, &l->store, e);
    if (capture_files(c) == 1)
        l->from = steal_ptr(&c);
    if (r == 0)
        r = databases_fill_names(l);
    if (r < 0)
        names_free(l);
    else
        *out = l;
    return r;
}

static struct database_names *databases_known_names(struct databases *d, uint64_t instant)
{
    lock_scope(&d->lock);
    struct database_names *l = d->newest;
    if (!l || l->instant != instant)
        return NULL;
    l->refs++;
    return l;
}

static void databases_keep_names(struct databases *d, struct database_names *l)
{
    pthread_mutex_lock(&d->lock);
    struct database_names *before = d->newest;
    d->newest = l;
    l->refs++;
    pthread_mutex_unlock(&d->lock);
    databases_put_names(d, before);
}

static int databases_failed(struct fs *fs, const char *path, int r, const struct err *e)
{
    if (r == -EINTR || r == -ENOENT)
        return r;
    status_failed(fs->status, path, e->text[0] ? e->text : strerror(-r));
    return r == -ENOMEM || r == -ENFILE || r == -EMFILE ? r : -EIO;
}

/* Files */

static struct database_names *databases_newest_names(struct databases *d)
{
    lock_scope(&d->lock);
    if (d->newest)
        d->newest->refs++;
    return d->newest;
}

/* The tar of a database, laid out. The meta.db is mostly one that is known. */
static int database_tar(struct fs *fs, const char *db, const struct instant *i,
                        struct tarball **out, struct err *e)
{
    const struct selection what = {
        .databases = &db, .ndatabases = 1, .from = INT64_MIN, .to = INT64_MAX};
    struct catalog *catalog = snapshots_catalog(fs->snapshots);
    struct capture *files = tarball_capture(instant_tarball(i)), *c;
    struct database_names *l = databases_newest_names(fs->databases);
    int r = l && l->from && selected_same_meta(l->from, files)
                ? selected_by(files, l->store, &what, catalog, &c, e)
                : selected_new(files, &what, catalog, NULL, &c, e);
    databases_put_names(fs->databases, l);
    return r < 0 ? r : snapshots_tarball(fs->snapshots, c, out);
}

static void database_describe(const struct tarball *t, struct database_state *out)
{
    *out = (struct database_state){.size = tarball_size(t), .mtime_ns = tarball_mtime_ns(t)};
    strcpy(out->id, capture_record(tarball_capture(t))->id);
}

static const char *id_of(const struct instant *i)
{
    return capture_record(tarball_capture(instant_tarball(i)))->id;
}

static bool databases_seen(struct databases *d, const char *db, const char *in,
                           struct database_state *out)
{
    struct database_seen *seen;
    lock_scope(&d->lock);
    HASH_FIND_STR(d->seen, db, seen);
    if (!seen || strcmp(seen->in, in) != 0)
        return false;
    *out = seen->state;
    return true;
}

/* Without memory for that it is found again. */
static void databases_see(struct databases *d, const char *db, const char *in,
                          const struct database_state *state)
{
    struct database_seen *seen;
    lock_scope(&d->lock);
    HASH_FIND_STR(d->seen, db, seen);
    if (!seen && (seen = calloc(1, sizeof(*seen) + strlen(db) + 1))) {
        strcpy(seen->db, db);
        HASH_ADD_STR(d->seen, db, seen);
    }
    if (seen) {
        strcpy(seen->in, in);
        seen->state = *state;
    }
}

static int database_look(struct request *r, const char *db, struct database_state *out)
{
    cleanup(tarball_unrefp) struct tarball *t = NULL;
    struct err e = {0};
    struct instant *i;
    int rc = parts_instant(r, db, FOLDER, &i);
    if (rc < 0)
        return rc;
    if (!databases_seen(r->fs->databases, db, id_of(i), out) &&
        (rc = database_tar(r->fs, db, i, &t, &e)) == 0) {
        database_describe(t, out);
        databases_see(r->fs->databases, db, id_of(i), out);
    }
    instant_put(i);
    return rc < 0 ? databases_failed(r->fs, FOLDER, rc, &e) : 0;
}

/* All at once, of an instant that holds all. */
struct looking {
    struct fs *fs;
    const struct database_names *names;
    const char *in;
};

static int databases_look_at(void *ctx, size_t i, struct capture *part)
{
    const struct looking *l = ctx;
    cleanup(tarball_unrefp) struct tarball *t = NULL;
    struct database_state state;
    int r = snapshots_tarball(l->fs->snapshots, part, &t);
    if (r < 0)
        return r;
    database_describe(t, &state);
    databases_see(l->fs->databases, partmeta_name(l->names->store, i), l->in, &state);
    return 0;
}

static int databases_look_at_all(struct request *r, const struct database_names *names,
                                 const struct instant *i, struct err *e)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct looking l = {r->fs, names, id_of(i)};
    return selected_each(tarball_capture(instant_tarball(i)), names->store,
                         snapshots_catalog(r->fs->snapshots), &reader, databases_look_at, &l, e);
}

/* Those that the caller sees. The caller owes databases_put_names. */
static int databases_names(struct request *r, struct database_names **out)
{
    struct databases *d = r->fs->databases;
    struct err e = {0};
    struct instant *i;
    int rc = parts_instant(r, NULL, FOLDER, &i);
    if (rc < 0)
        return rc;
    *out = databases_known_names(d, instant_id(i));
    if (!*out && (rc = databases_make_names(i, out, &e)) == 0) {
        if (!(*out)->from)
            rc = databases_look_at_all(r, *out, i, &e);
        if (rc == 0)
            databases_keep_names(d, *out);
        else
            names_free(*out);
    }
    instant_put(i);
    return rc < 0 ? databases_failed(r->fs, FOLDER, rc, &e) : 0;
}

static ino_t database_ino(const char *db)
{
    return ino_hashed(INO_IN_DATABASES, ino_hash(INO_HASH, db, strlen(db)));
}

static int database_node(struct fs *fs, const struct node *dir, const struct database_name *name,
                         const struct database_state *state, struct node **out)
{
    struct database_node *k = calloc(1, sizeof(*k) + strlen(name->db) + 1);
    if (!k)
        return -ENOMEM;
    node_init(&k->file.node, &database_ops, NODE_NOW, database_ino(name->db), dir);
    k->file.size = state->size;
    k->file.mtime_ns = state->mtime_ns;
    memcpy(k->id, state->id, sizeof(k->id));
    strcpy(stpcpy(k->path, FOLDER), name->file);
    strcpy(k->db, name->db);
    return node_find_or_add(fs->nodes, &k->file.node, k->id, sizeof(k->id), out);
}

static int databases_lookup(struct request *r, struct node *dir, const char *name,
                            struct node **child)
{
    struct database_names *l;
    struct database_name wanted;
    struct database_state state = {.size = 0};
    size_t len = strlen(name);
    if (len > DUMP_NAME_MAX)
        return -ENAMETOOLONG;
    if (len <= strlen(TAR) || strcmp(name + len - strlen(TAR), TAR) != 0)
        return -ENOENT;
    int rc = databases_names(r, &l);
    if (rc < 0)
        return rc;
    strcpy(wanted.file, name);
    const struct database_name *found = bsearch(&wanted, l->at, l->n, sizeof(*l->at), by_file);
    rc = found ? database_look(r, found->db, &state) : -ENOENT;
    if (rc == 0)
        rc = database_node(r->fs, dir, found, &state, child);
    databases_put_names(r->fs->databases, l);
    return rc;
}

static int databases_list(struct request *r, struct node *dir, struct names *out)
{
    struct database_names *l;
    (void)dir;
    int rc = databases_names(r, &l);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc; /* there is no store */
    for (size_t k = 0; rc == 0 && k < l->n; k++)
        rc = names_add(out, l->at[k].file, database_ino(l->at[k].db), S_IFREG);
    databases_put_names(r->fs->databases, l);
    return rc;
}

/* The next look is to find the state that there is: of the same files, it has another id where the
 * catalogue has forgotten the first one. */
static int database_stale(struct databases *d, const char *db, const struct database_handle *h)
{
    struct database_state state;
    database_describe(h->tar, &state);
    databases_see(d, db, id_of(instant_held(h->hold)), &state);
    return -ESTALE;
}

/* The state that was looked up may have been let go, and found again unchanged. */
static int database_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    const struct database_node *k = (const struct database_node *)n;
    struct err e = {0};
    autofree struct database_handle *dh = calloc(1, sizeof(*dh));
    (void)flags;
    int rc = dh ? parts_open(r, k->db, k->path, &dh->hold) : -ENOMEM;
    if (rc < 0)
        return rc;
    rc = database_tar(r->fs, k->db, instant_held(dh->hold), &dh->tar, &e);
    if (rc < 0)
        rc = databases_failed(r->fs, k->path, rc, &e);
    else if (strcmp(capture_record(tarball_capture(dh->tar))->id, k->id) != 0)
        rc = database_stale(r->fs->databases, k->db, dh);
    if (rc < 0) {
        tarball_unref(dh->tar);
        instant_close(dh->hold);
        return rc;
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
    .free = node_free,
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
