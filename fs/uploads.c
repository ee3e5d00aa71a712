/* SPDX-License-Identifier: MIT */
#include "fs/uploads.h"

#include "fs/reports.h"
#include "fs/request.h"
#include "fs/status.h"
#include "fs/uploads_internal.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The tree; all with the lock. */

static struct upload_entry *upload_tree_find(struct upload_entry *dir, const char *name)
{
    struct upload_entry *e = dir->children;
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    return e;
}

/* The path of name in dir, below restore/. -ENAMETOOLONG. */
static int upload_tree_path(const struct upload_entry *dir, const char *name, char out[PATH_MAX])
{
    char up[PATH_MAX] = "";
    int r = dir->parent ? upload_tree_path(dir->parent, dir->name, up) : 0;
    if (r < 0)
        return r;
    int n = snprintf(out, PATH_MAX, "%s%s%s", up, *up ? "/" : "", name);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void upload_tree_put(struct upload_entry *dir, struct upload_entry *e)
{
    e->parent = dir;
    LL_PREPEND(dir->children, e);
}

static void upload_tree_take(struct upload_entry *e)
{
    LL_DELETE(e->parent->children, e);
    e->parent = NULL;
}

/* A new entry with two pins: the tree's and the caller's. Takes over the upload on success. */
static int upload_tree_add(struct request *r, struct upload_entry *dir, const char *name,
                           mode_t mode, bool folder, struct upload *upload,
                           struct upload_entry **out)
{
    struct uploads *d = dir->all;
    autofree struct upload_entry *e = calloc(1, sizeof(*e));
    autofree char *own = strdup(name);
    if (!e || !own)
        return -ENOMEM;
    node_init(&e->node, dir->node.ops, NODE_UPLOAD, d->next_ino++, &dir->node);
    e->all = d;
    e->folder = folder;
    e->mode = mode & 07777;
    e->uid = r->ctx->uid;
    e->gid = r->ctx->gid;
    e->atime_ns = e->mtime_ns = e->written_ns = time_wall_ns();
    lifetime_use(&e->life);
    if (node_add(d->fs->nodes, &e->node, false) < 0)
        return -ENOMEM;
    e->name = steal_ptr(&own);
    e->upload = upload;
    node_repin(d->fs->nodes, &e->node);
    upload_tree_put(dir, e);
    *out = steal_ptr(&e);
    return 0;
}

/* What is asked of it */

static int uploads_lookup(struct request *r, struct node *dir, const char *name,
                          struct node **child)
{
    struct upload_entry *d = (struct upload_entry *)dir;
    struct uploads *all = d->all;
    if (!d->folder)
        return -ENOTDIR;
    lock_scope(&all->lock);
    struct upload_entry *e = upload_tree_find(d, name);
    struct node *n = e ? &e->node : NULL;
    if (d == &all->root && strcmp(name, "log") == 0)
        n = all->log;
    if (d == &all->root && strcmp(name, "status.json") == 0)
        n = all->status;
    if (!n)
        return -ENOENT;
    node_repin(r->fs->nodes, n);
    *child = n;
    return 0;
}

static int uploads_list(struct request *r, struct node *dir, struct names *out)
{
    struct upload_entry *d = (struct upload_entry *)dir;
    int rc = 0;
    (void)r;
    if (!d->folder)
        return -ENOTDIR;
    if (d == &d->all->root) {
        rc = names_add(out, "log", INO_RESTORE_LOG, S_IFREG);
        if (rc == 0)
            rc = names_add(out, "status.json", INO_RESTORE_STATUS, S_IFREG);
    }
    lock_scope(&d->all->lock);
    for (const struct upload_entry *e = d->children; rc == 0 && e; e = e->next)
        rc = names_add(out, e->name, e->node.ino, e->folder ? S_IFDIR : S_IFREG);
    return rc;
}

static int uploads_create(struct request *r, struct node *dir, const char *name, mode_t mode,
                          int flags, struct node **child, struct handle **h)
{
    struct upload_entry *d = (struct upload_entry *)dir, *e;
    char path[PATH_MAX];
    struct upload *upload;
    (void)flags;
    int rc = upload_file_may_begin(r, name);
    if (rc < 0)
        return rc;
    lock_scope(&d->all->lock);
    rc = upload_tree_find(d, name) ? -EEXIST : upload_tree_path(d, name, path);
    if (rc == 0)
        rc = upload_new(r->fs->restore, path, NULL, &upload);
    if (rc == 0) {
        rc = upload_tree_add(r, d, name, mode, false, upload, &e);
        if (rc < 0)
            upload_free(upload);
        else if (!(*h = upload_file_handle(e, true)))
            rc = -ENOMEM; /* an empty file without a handle: harmless, and gone soon */
        else
            *child = &e->node;
    }
    return rc;
}

static int uploads_mkdir(struct request *r, struct node *dir, const char *name, mode_t mode,
                         struct node **child)
{
    struct upload_entry *d = (struct upload_entry *)dir, *e;
    if (!r->fs->restore)
        return -EROFS;
    lock_scope(&d->all->lock);
    int rc =
        upload_tree_find(d, name) ? -EEXIST : upload_tree_add(r, d, name, mode, true, NULL, &e);
    if (rc == 0)
        *child = &e->node;
    return rc;
}

/* Ends the upload of an entry that is not open; only a name and a size remain. */
static struct upload *uploads_end_file(struct upload_entry *e)
{
    struct upload *d = e->upload;
    if (!d || e->life.open)
        return NULL;
    e->size = upload_size(d);
    e->upload = NULL;
    return d;
}

/* Removes what was staged and waits for that; if the caller is killed meanwhile, the timer frees
 * the rest. */
static void uploads_abandon(struct request *r, struct upload *upload)
{
    const struct tarball_reader who = {request_interrupted, r};
    struct uploads *d = r->fs->uploads;
    struct orphan *o = NULL;
    if (upload && upload_abandon(upload, "it was given up before it was restored", &who) == -EINTR)
        o = malloc(sizeof(*o));
    if (!o) {
        upload_free(upload);
        return;
    }
    lock_scope(&d->lock);
    *o = (struct orphan){upload, d->orphans};
    d->orphans = o;
}

static int uploads_may_unlink(const struct upload_entry *e, bool folder)
{
    if (!e)
        return -EROFS; /* it is the log, or status.json */
    if (folder && !e->folder)
        return -ENOTDIR;
    if (!folder && e->folder)
        return -EISDIR;
    return e->children ? -ENOTEMPTY : 0;
}

static int uploads_unlink(struct request *r, struct node *dir, const char *name, bool folder)
{
    struct upload_entry *d = (struct upload_entry *)dir;
    struct upload *upload = NULL;
    pthread_mutex_lock(&d->all->lock);
    struct upload_entry *e = upload_tree_find(d, name);
    int rc = uploads_may_unlink(e, folder);
    if (rc == 0) {
        upload_tree_take(e);
        upload = uploads_end_file(e);
    }
    pthread_mutex_unlock(&d->all->lock);
    if (rc < 0)
        return rc;
    const struct tarball_reader who = {request_interrupted, r};
    if (!upload && e->upload)
        upload_abandon(e->upload, "it was removed while it was written", &who);
    uploads_abandon(r, upload);
    node_unpin(r->fs->nodes, &e->node);
    return 0;
}

static int uploads_may_rename(struct upload_entry *from, const char *name, struct upload_entry *to,
                              const char *to_name, unsigned flags, char path[PATH_MAX],
                              struct upload_entry **out)
{
    struct upload_entry *e = upload_tree_find(from, name), *old = upload_tree_find(to, to_name);
    if (!e)
        return -ENOENT;
    if (e->folder || (old && old->folder))
        return -EPERM; /* only files are renamed here */
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        return -EINVAL;
    if (old && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    *out = e;
    return upload_tree_path(to, to_name, path);
}

/* Moves e to a name in a folder. Gives the entry that it replaces, or NULL. Called with the
 * lock. */
static struct upload_entry *uploads_move(struct upload_entry *e, struct upload_entry *to,
                                         char **name)
{
    struct upload_entry *replaced = upload_tree_find(to, *name);
    char *old = e->name;
    if (replaced == e)
        replaced = NULL;
    if (replaced)
        upload_tree_take(replaced);
    upload_tree_take(e);
    upload_tree_put(to, e);
    e->name = *name;
    *name = old;
    return replaced;
}

/* A snapshot under a name with a dot is restored when it is renamed to one without. */
static int uploads_rename(struct request *r, struct node *dir, const char *name,
                          struct node *to_dir, const char *to_name, unsigned flags)
{
    struct upload_entry *from = (struct upload_entry *)dir, *to = (struct upload_entry *)to_dir, *e;
    struct uploads *d = from->all;
    const struct tarball_reader who = {request_interrupted, r};
    char path[PATH_MAX];
    struct err why = {0};
    pthread_mutex_lock(&d->lock);
    int rc = uploads_may_rename(from, name, to, to_name, flags, path, &e);
    char *fresh = rc == 0 ? strdup(to_name) : NULL;
    if (rc == 0) {
        e->life.open++; /* it stays, and keeps its upload, while the store is exchanged */
        lifetime_use(&e->life);
    }
    pthread_mutex_unlock(&d->lock);
    if (rc < 0)
        return rc;
    rc = fresh ? upload_rename(e->upload, path, &who, &why) : -ENOMEM;
    if (rc < 0)
        status_failed(r->fs->status, "restore", why.text);
    struct upload_entry *replaced = NULL;
    pthread_mutex_lock(&d->lock);
    e->life.open--;
    lifetime_use(&e->life);
    if (rc == 0 && e->parent)
        replaced = uploads_move(e, to, &fresh);
    pthread_mutex_unlock(&d->lock);
    free(fresh);
    if (replaced)
        node_unpin(r->fs->nodes, &replaced->node);
    return rc;
}

static const struct node_ops uploads_ops = {
    .getattr = upload_file_getattr,
    .free = upload_file_free,
    .lookup = uploads_lookup,
    .list = uploads_list,
    .create = uploads_create,
    .mkdir = uploads_mkdir,
    .unlink = uploads_unlink,
    .rename = uploads_rename,
    .open = upload_file_open,
    .read = upload_file_read,
    .write = upload_file_write,
    .flush = upload_file_flush,
    .release = upload_file_release,
    .setattr = upload_file_setattr,
    .setxattr = upload_file_setxattr,
    .getxattr = upload_file_getxattr,
    .listxattr = upload_file_listxattr,
    .removexattr = upload_file_removexattr,
};

/* One entry whose time has come, the deepest first. */
static struct upload_entry *uploads_next_expired(struct upload_entry *dir)
{
    for (struct upload_entry *e = dir->children; e; e = e->next) {
        struct upload_entry *below = e->folder ? uploads_next_expired(e) : NULL;
        if (below)
            return below;
        if (!e->children && lifetime_over(&e->life, LIFE_UPLOAD))
            return e;
    }
    return NULL;
}

static void uploads_free_orphans(struct uploads *d)
{
    pthread_mutex_lock(&d->lock);
    struct orphan *o = steal_ptr(&d->orphans), *next;
    pthread_mutex_unlock(&d->lock);
    for (; o; o = next) {
        next = o->next;
        upload_free(o->upload);
        free(o);
    }
}

void uploads_expire(struct fs *fs)
{
    struct uploads *d = fs->uploads;
    uploads_free_orphans(d);
    if (fs->restore)
        session_expire(fs->restore);
    for (;;) {
        struct upload *upload = NULL;
        pthread_mutex_lock(&d->lock);
        struct upload_entry *e = uploads_next_expired(&d->root);
        if (e) {
            upload_tree_take(e);
            upload = uploads_end_file(e);
        }
        pthread_mutex_unlock(&d->lock);
        if (!e)
            return;
        upload_free(upload);
        node_unpin(fs->nodes, &e->node);
    }
}

int uploads_new(struct fs *fs, struct node **out)
{
    struct uploads *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->fs = fs;
    d->next_ino = INO_UPLOADS;
    node_init(&d->root.node, &uploads_ops, NODE_UPLOAD, INO_RESTORE, NULL);
    d->root.all = d;
    d->root.folder = true;
    d->root.mode = 0700;
    d->root.mtime_ns = d->root.atime_ns = fs->started_ns;
    int r = report_restore_log(fs, &d->log);
    if (r == 0)
        r = report_restore_status(fs, &d->status);
    if (r == 0)
        r = node_add(fs->nodes, &d->root.node, false);
    if (r < 0) {
        uploads_free(d);
        return r;
    }
    fs->uploads = d;
    *out = &d->root.node;
    return 0;
}

void uploads_free(struct uploads *d)
{
    if (!d)
        return;
    uploads_free_orphans(d);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
