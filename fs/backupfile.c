/* SPDX-License-Identifier: MIT */
/* The files of backup/. */
#include "fs/ahead.h"
#include "fs/backups.h"
#include "fs/pace.h"
#include "fs/recorder.h"
#include "fs/request.h"
#include "store/base/lock.h"
#include "store/base/path.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAILER 8 /* of a gzip file */

struct backupfile {
    struct node node;
    struct fs *fs;
    struct material sets; /* what it is made of: a struct backup_sets */
    struct madeset *set;  /* one of these, and */
    size_t i;             /* the file of it */
    uint64_t size;
    int64_t mtime_ns;
    const char *path; /* below the mount; in the key */
    size_t nkey;
    char key[]; /* the sets' id, and the path */
};

struct backupfile_handle {
    struct handle h;
    struct backup_sets *sets;
    struct setfile *file;
    struct ahead ahead;
    pthread_mutex_t lock;
    uint64_t front; /* the reader has read everything before; guarded by lock */
};

static const struct node_ops backupfile_ops;

static void backupfile_let_go(void *ctx, void *sets)
{
    (void)ctx;
    backup_sets_unref(sets);
}

void backupfiles_init(struct fs *fs)
{
    materials_init(&fs->backup_files, LIFE_DUMP, backupfile_let_go, NULL);
}

ino_t backupfile_ino(const char *dir_path, const char *name)
{
    uint64_t h = ino_hash(INO_HASH, dir_path, strlen(dir_path) + 1);
    return ino_hashed(INO_IN_BACKUP, ino_hash(h, name, strlen(name)));
}

static int backupfile_failed(const struct backupfile *f, int r, const struct err *e)
{
    return backup_sets_failed(f->fs, f->path, r, e);
}

static struct backupfile *backupfile_new(struct fs *fs, const struct node *dir,
                                         const char *dir_path, const struct backup_sets *sets,
                                         struct madeset *set, size_t i)
{
    const char *name = madeset_name(set, i);
    size_t n = strlen(dir_path) + 1 + strlen(name) + 1;
    const uint64_t id = backup_sets_id(sets);
    struct backupfile *f = calloc(1, sizeof(*f) + sizeof(id) + n);
    if (!f)
        return NULL;
    node_init(&f->node, &backupfile_ops, NODE_BACKUP, backupfile_ino(dir_path, name), dir);
    f->fs = fs;
    f->set = set;
    f->i = i;
    f->mtime_ns = madeset_mtime_ns(set, i);
    f->nkey = sizeof(id) + n;
    char *path = mempcpy(f->key, &id, sizeof(id));
    snprintf(path, n, "%s/%s", dir_path, name);
    f->path = path;
    return f;
}

int backupfile_lookup(struct request *r, const struct node *dir, const char *dir_path,
                      struct backup_sets *sets, struct madeset *set, size_t i, struct node **out)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    struct backupfile *f = backupfile_new(r->fs, dir, dir_path, sets, set, i);
    if (!f)
        return -ENOMEM;
    int rc = madeset_size(set, i, &reader, &f->size, &e);
    if (rc < 0) {
        rc = backupfile_failed(f, rc, &e);
        free(f);
        return rc;
    }
    rc = node_find_or_add(r->fs->nodes, &f->node, f->key, f->nkey, out);
    if (rc == 0)
        material_set(&r->fs->backup_files, &((struct backupfile *)*out)->sets,
                     backup_sets_ref(sets));
    return rc;
}

static int backupfile_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct backupfile *f = (const struct backupfile *)n;
    (void)r, (void)h;
    fs_attr(f->fs, st, n, S_IFREG | 0400, f->size, f->mtime_ns);
    return 0;
}

static void backupfile_free(struct node *n)
{
    struct backupfile *f = (struct backupfile *)n;
    material_drop(&f->fs->backup_files, &f->sets);
    free(f);
}

static int backupfile_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct backupfile *f = (struct backupfile *)n;
    autofree struct backupfile_handle *o = calloc(1, sizeof(*o));
    struct err e = {0};
    (void)flags;
    if (!o)
        return -ENOMEM;
    o->sets = material_open(&f->fs->backup_files, &f->sets);
    if (!o->sets)
        return -ESTALE;
    int rc = madeset_open(f->set, f->i, &reader, &o->file, &e);
    if (rc < 0) {
        rc = backupfile_failed(f, rc, &e);
        material_close(&f->fs->backup_files, &f->sets);
        return rc;
    }
    backup_sets_opened(o->sets);
    pace_look(f->fs->pace);
    ahead_init(&o->ahead);
    pthread_mutex_init(&o->lock, NULL);
    *h = &steal_ptr(&o)->h;
    return 0;
}

static void backupfile_release(struct handle *h)
{
    struct backupfile_handle *o = (struct backupfile_handle *)h;
    struct backupfile *f = (struct backupfile *)h->node;
    ahead_clear(&o->ahead);
    setfile_close(o->file);
    backup_sets_closed(o->sets);
    material_close(&f->fs->backup_files, &f->sets);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

/* All files of a set together are a backup of the store. */
static void backupfile_was_read(const struct backupfile *f, const struct backupfile_handle *o)
{
    struct capture *c = backup_sets_capture(o->sets);
    struct backup_read done;
    struct err lacks;
    if (!backup_sets_was_read(o->sets, f->set, f->i, &done))
        return;
    autofree char *folder = strdup(f->path);
    if (!folder || !path_up(folder))
        return;
    damage_say_lacks(c, &lacks);
    if (!lacks.text[0] && done.lacks)
        err_set(&lacks, 0, "%s", done.lacks);
    const struct history_entry entry = {
        .result = lacks.text[0] ? HISTORY_OMISSIONS : HISTORY_DONE,
        .took_ns = done.took_ns,
        .bytes = done.bytes,
        .what = folder,
        .id = capture_record(c)->id,
        .text = lacks.text[0] ? lacks.text : NULL,
    };
    recorder_add(f->fs->recorder, HISTORY_BACKUP, &entry);
}

/* Whether this piece completes the reading of the whole file; true once. */
static bool backupfile_completes(struct backupfile_handle *o, uint64_t size, uint64_t n,
                                 uint64_t off)
{
    lock_scope(&o->lock);
    if (off > o->front || off + n <= o->front)
        return false;
    o->front = off + n;
    return o->front == size;
}

static ssize_t backupfile_read(struct request *r, struct handle *h, char **buf, size_t n,
                               uint64_t off)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct backupfile_handle *o = (struct backupfile_handle *)h;
    const struct backupfile *f = (const struct backupfile *)h->node;
    struct err e = {0};
    ssize_t got = (ssize_t)ahead_take(&o->ahead, buf, n, off);
    if (got == 0)
        got = setfile_read(o->file, *buf, n, off, &reader, &e);
    if (got < 0) {
        ahead_go_on(&o->ahead, 0, off, NULL, NULL);
        return backupfile_failed(f, (int)got, &e);
    }
    pace_wait(r->fs->pace, (size_t)got, request_interrupted, r);
    if (got > 0 && backupfile_completes(o, f->size, (uint64_t)got, off))
        backupfile_was_read(f, o);
    return got;
}

static ssize_t backupfile_read_ahead(void *ctx, void *buf, size_t n, uint64_t off)
{
    return setfile_read(ctx, buf, n, off, NULL, NULL);
}

/* The end of a portable file may take long: its reader must be able to interrupt that. */
static void backupfile_has_read(struct handle *h, size_t n, uint64_t off)
{
    struct backupfile_handle *o = (struct backupfile_handle *)h;
    const struct backupfile *f = (const struct backupfile *)h->node;
    bool more = n > 0 && off + 2 * n + TRAILER <= f->size;
    ahead_go_on(&o->ahead, n, off, more ? backupfile_read_ahead : NULL, o->file);
}

static const struct node_ops backupfile_ops = {
    .getattr = backupfile_getattr,
    .free = backupfile_free,
    .open = backupfile_open,
    .read = backupfile_read,
    .has_read = backupfile_has_read,
    .release = backupfile_release,
};
