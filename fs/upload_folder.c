/* SPDX-License-Identifier: MIT */
/* What is asked of a folder in restore/: names, and files that come, go and are renamed. */
#include "fs/uploads_internal.h"

#include "fs/request.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/restore/restore_request.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int upload_folder_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
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

static bool is_used(const struct upload_entry *e)
{
    bool used = !e->fixed;
    for (const struct upload_entry *c = e->children; c && !used; c = c->next)
        used = is_used(c);
    return used;
}

int upload_folder_list(struct request *r, struct node *dir, struct names *out)
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
        if (d != &d->all->root || is_used(e)) /* as/ and merge/ are found by name before */
            rc = names_add(out, e->name, e->node.ino, e->folder ? S_IFDIR : S_IFREG);
    return rc;
}

static int upload_folder_path(const struct upload_entry *d, const char *name, char out[PATH_MAX])
{
    lock_scope(&d->all->lock);
    return upload_tree_path(d, name, out);
}

int upload_folder_create(struct request *r, struct node *dir, const char *name, mode_t mode,
                         int flags, struct node **child, struct handle **h)
{
    struct upload_entry *d = (struct upload_entry *)dir, *e;
    cleanup(restore_request_freep) struct restore_request *asked = NULL;
    char path[PATH_MAX];
    struct err why = {0};
    struct upload *upload;
    (void)flags;
    int rc = upload_folder_path(d, name, path);
    if (rc < 0)
        return rc;
    if (r->fs->restore && arrival_kind_of(name) != ARRIVAL_NONE)
        return upload_set_create(r, d, name, path, mode, child, h);
    if ((rc = upload_may_begin(r, name)) < 0)
        return rc;
    if ((rc = restore_request_of_path(path, &asked, &why)) < 0)
        return upload_refuse(r, path, rc, &why);
    lock_scope(&d->all->lock);
    rc = upload_tree_find(d, name) ? -EEXIST : upload_new(r->fs->restore, path, asked, &upload);
    if (rc < 0)
        return rc;
    if ((rc = upload_tree_add(r, d, name, S_IFREG | mode, NULL, &e)) < 0) {
        upload_free(upload);
        return rc;
    }
    e->upload = upload;
    *child = &e->node;
    *h = upload_file_handle(e, true);
    return *h ? 0 : -ENOMEM; /* an empty file without a handle: harmless, and gone soon */
}

int upload_folder_mkdir(struct request *r, struct node *dir, const char *name, mode_t mode,
                        struct node **child)
{
    struct upload_entry *d = (struct upload_entry *)dir, *e;
    char path[PATH_MAX];
    struct err why = {0};
    int rc = upload_folder_path(d, name, path);
    if (rc == 0)
        rc = upload_may_begin(r, name);
    if (rc < 0)
        return rc;
    rc = restore_request_check_folder(path, &why);
    if (rc == 0 && strcmp(name, ARRIVAL_DONE) == 0)
        rc = err_set(&why, -EINVAL, "it must be a file: touch it when the set is copied");
    if (rc < 0)
        return upload_refuse(r, path, rc, &why);
    lock_scope(&d->all->lock);
    rc =
        upload_tree_find(d, name) ? -EEXIST : upload_tree_add(r, d, name, S_IFDIR | mode, NULL, &e);
    if (rc == 0)
        *child = &e->node;
    return rc;
}

/* Removes what was staged and waits for that; if the caller is killed meanwhile, the timer frees
 * the rest. */
static void upload_folder_abandon(struct request *r, struct upload *upload)
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

static int upload_folder_may_unlink(const struct upload_entry *e, bool folder)
{
    if (!e || e->fixed)
        return -EROFS; /* or it is the log, or status.json */
    if (folder && !e->folder)
        return -ENOTDIR;
    if (!folder && e->folder)
        return -EISDIR;
    return e->children ? -ENOTEMPTY : 0;
}

int upload_folder_unlink(struct request *r, struct node *dir, const char *name, bool folder)
{
    struct upload_entry *d = (struct upload_entry *)dir;
    struct upload *upload = NULL;
    pthread_mutex_lock(&d->all->lock);
    struct upload_entry *e = upload_tree_find(d, name);
    int rc = upload_folder_may_unlink(e, folder);
    if (rc == 0) {
        upload_tree_take(e);
        upload = upload_file_end(e);
    }
    pthread_mutex_unlock(&d->all->lock);
    if (rc < 0)
        return rc;
    const struct tarball_reader who = {request_interrupted, r};
    if (e->piece)
        arrival_remove(e->piece);
    if (e->set)
        arrival_drop(e->set);
    if (!upload && e->upload)
        upload_abandon(e->upload, "it was removed while it was written", &who);
    upload_folder_abandon(r, upload);
    node_unpin(r->fs->nodes, &e->node);
    return 0;
}

/* What was received in one place cannot be restored as another place asks. */
static int upload_folder_same_request(const char *path, const char *to_path, struct err *why)
{
    cleanup(restore_request_freep) struct restore_request *is = NULL, *asked = NULL;
    int rc = restore_request_of_path(path, &is, why);
    if (rc == 0)
        rc = restore_request_of_path(to_path, &asked, why);
    if (rc < 0 || restore_request_same(is, asked))
        return rc;
    return err_set(why, -EXDEV,
                   "%s was not received to be restored there; copy the file itself to %s", path,
                   to_path);
}

static int upload_folder_may_rename(struct upload_entry *from, const char *name,
                                    struct upload_entry *to, const char *to_name, unsigned flags,
                                    char path[PATH_MAX], struct err *why, struct upload_entry **out)
{
    struct upload_entry *e = upload_tree_find(from, name), *old = upload_tree_find(to, to_name);
    char before[PATH_MAX];
    if (!e)
        return -ENOENT;
    if (e->folder || (old && old->folder))
        return -EPERM; /* only files are renamed here */
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        return -EINVAL;
    if (old && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    *out = e;
    int rc = upload_tree_path(from, name, before);
    if (rc == 0)
        rc = upload_tree_path(to, to_name, path);
    return rc < 0 ? rc : upload_folder_same_request(before, path, why);
}

/* Moves e to a name in a folder. Gives the entry that it replaces, or NULL. Called with the
 * lock. */
static struct upload_entry *upload_folder_move(struct upload_entry *e, struct upload_entry *to,
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
int upload_folder_rename(struct request *r, struct node *dir, const char *name, struct node *to_dir,
                         const char *to_name, unsigned flags)
{
    struct upload_entry *from = (struct upload_entry *)dir, *to = (struct upload_entry *)to_dir, *e;
    struct uploads *d = from->all;
    const struct tarball_reader who = {request_interrupted, r};
    char path[PATH_MAX];
    struct err why = {0};
    pthread_mutex_lock(&d->lock);
    int rc = upload_folder_may_rename(from, name, to, to_name, flags, path, &why, &e);
    char *fresh = rc == 0 ? strdup(to_name) : NULL;
    if (rc == 0) {
        e->life.open++; /* it stays, and keeps its upload, while the store is exchanged */
        upload_tree_use(e);
    }
    pthread_mutex_unlock(&d->lock);
    if (rc < 0)
        return why.text[0] ? upload_refuse(r, path, rc, &why) : rc;
    bool moves = false;
    rc = !fresh     ? -ENOMEM
         : e->piece ? upload_set_rename(r, e, to, to_name, &moves, &why)
                    : upload_rename(e->upload, path, &who, &why);
    if (rc < 0)
        status_failed(r->fs->status, "restore", why.text);
    struct upload_entry *replaced = NULL;
    pthread_mutex_lock(&d->lock);
    e->life.open--;
    upload_tree_use(e);
    if ((rc == 0 || moves) && e->parent)
        replaced = upload_folder_move(e, to, &fresh);
    pthread_mutex_unlock(&d->lock);
    free(fresh);
    if (replaced)
        node_unpin(r->fs->nodes, &replaced->node);
    return rc;
}
