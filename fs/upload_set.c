/* SPDX-License-Identifier: MIT */
/* Sets of `influxd backup` in folders of restore/: which file belongs to which, and how long. */
#include "fs/uploads_internal.h"

#include "fs/request.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A set has many files, and all of it is checked again when it is judged. */
#define CHECK_NS (10 * SECOND_NS)

/* The folder whose set a file in dir belongs to; those with a dot are a tool's own. With the
 * lock. */
static struct upload_entry *upload_set_folder(struct upload_entry *dir, bool *temporary)
{
    struct upload_entry *folder = dir;
    for (struct upload_entry *e = dir; !e->fixed && e->parent; e = e->parent)
        if (e->name[0] == '.')
            folder = e->parent;
    *temporary = folder != dir;
    return folder;
}

/* The set of a folder, with a reference; it begins to arrive if there is none. */
static int upload_set_get(struct request *r, struct upload_entry *folder, bool make,
                          struct arrival **out, struct err *why)
{
    struct uploads *d = folder->all;
    char inside[PATH_MAX], path[PATH_MAX];
    cleanup(restore_request_freep) struct restore_request *asked = NULL;
    pthread_mutex_lock(&d->lock);
    *out = folder->set ? arrival_ref(folder->set) : NULL;
    int rc = folder->parent ? upload_tree_path(folder->parent, folder->name, path) : -ESTALE;
    if (rc == 0)
        rc = upload_tree_path(folder, "x", inside);
    pthread_mutex_unlock(&d->lock);
    if (rc < 0 || *out || !make)
        return rc;
    if ((rc = restore_request_of_path(inside, &asked, why)) < 0 ||
        (rc = arrival_new(r->fs->restore, path, asked, out, why)) < 0)
        return rc;
    pthread_mutex_lock(&d->lock);
    struct arrival *late = folder->set ? *out : NULL; /* another file came meanwhile */
    if (late)
        *out = folder->set;
    else
        folder->set = *out;
    arrival_ref(*out);
    pthread_mutex_unlock(&d->lock);
    arrival_unref(late); /* its folder on disk is removed */
    return 0;
}

static int upload_set_may_begin(struct request *r, struct uploads *d, const char *name)
{
    pthread_mutex_lock(&d->lock);
    bool lately = d->checked_ns && time_mono_ns() - d->checked_ns < CHECK_NS;
    pthread_mutex_unlock(&d->lock);
    int rc = lately ? 0 : upload_may_begin(r, name);
    if (rc < 0 || lately)
        return rc;
    lock_scope(&d->lock);
    d->checked_ns = time_mono_ns();
    return 0;
}

static int upload_set_add(struct request *r, struct upload_entry *dir, const char *name,
                          mode_t mode, struct arrival_file **piece, struct arrival_handle **handle,
                          struct node **child, struct handle **h)
{
    struct upload_entry *e;
    lock_scope(&dir->all->lock);
    int rc = upload_tree_find(dir, name)
                 ? -EEXIST
                 : upload_tree_add(r, dir, name, S_IFREG | mode, dir->all->set_file_ops, &e);
    if (rc < 0)
        return rc;
    e->piece = steal_ptr(piece);
    upload_tree_use(e);
    *child = &e->node;
    *h = upload_set_handle(e, *handle);
    if (!*h)
        return -ENOMEM; /* as in upload_folder_create */
    *handle = NULL;
    return 0;
}

/* `.done` is made: the verdict. */
static int upload_set_done(struct arrival *a, const struct tarball_reader *who, struct err *why)
{
    if (a)
        return arrival_done(a, who, why);
    return err_set(why, -EINVAL,
                   "it ends a set that `influxd backup` wrote, and none has arrived in its folder");
}

static int upload_set_begin(struct request *r, struct upload_entry *dir, const char *name,
                            const char *path, struct arrival **a, bool *temporary, struct err *why)
{
    const struct tarball_reader who = {request_interrupted, r};
    struct uploads *d = dir->all;
    pthread_mutex_lock(&d->lock);
    struct upload_entry *folder = upload_set_folder(dir, temporary);
    pthread_mutex_unlock(&d->lock);
    if (folder->fixed)
        return err_set(why, -EINVAL,
                       "it belongs to a set of several files: copy the folder that holds them, as "
                       "in `cp -r FOLDER %s/restore/%.*s`",
                       r->fs->mountpoint, (int)(strlen(path) - strlen(name)), path);
    *temporary |= arrival_kind_of(name) == ARRIVAL_TEMPORARY;
    const bool done = !*temporary && strcmp(name, ARRIVAL_DONE) == 0;
    int rc = upload_set_get(r, folder, !done, a, why);
    if (rc == 0 && done)
        rc = upload_set_done(*a, &who, why);
    return rc;
}

static void upload_set_used(struct upload_entry *dir)
{
    lock_scope(&dir->all->lock);
    upload_tree_use(dir);
}

int upload_set_create(struct request *r, struct upload_entry *dir, const char *name,
                      const char *path, mode_t mode, struct node **child, struct handle **h)
{
    const struct tarball_reader who = {request_interrupted, r};
    cleanup(arrival_unrefp) struct arrival *a = NULL;
    struct arrival_file *piece = NULL;
    struct arrival_handle *handle = NULL;
    struct err why = {0};
    bool temporary;
    int rc = upload_set_may_begin(r, dir->all, path);
    if (rc < 0)
        return rc;
    if ((rc = upload_set_begin(r, dir, name, path, &a, &temporary, &why)) < 0 && !a)
        return upload_refuse(r, path, rc, &why);
    if (rc == 0)
        rc = arrival_add(a, name, temporary, &who, &piece, &why);
    if (rc == 0)
        rc = arrival_open(piece, true, &who, &handle, &why);
    if (rc == 0)
        rc = upload_set_add(r, dir, name, mode, &piece, &handle, child, h);
    if (rc < 0 && why.text[0])
        status_failed(r->fs->status, "restore", why.text);
    upload_set_used(dir); /* the verdict may have taken long */
    if (handle)
        arrival_close(handle);
    arrival_file_free(piece);
    return rc;
}

int upload_set_rename(struct request *r, struct upload_entry *e, struct upload_entry *to,
                      const char *to_name, bool *moves, struct err *why)
{
    const struct tarball_reader who = {request_interrupted, r};
    struct uploads *d = e->all;
    bool temporary, was;
    pthread_mutex_lock(&d->lock);
    struct upload_entry *folder = upload_set_folder(to, &temporary);
    bool same = e->parent && upload_set_folder(e->parent, &was) == folder;
    pthread_mutex_unlock(&d->lock);
    if (!same)
        return err_set(why, -EXDEV, "%s: a file of a set cannot leave its folder", e->name);
    temporary |= arrival_kind_of(to_name) != ARRIVAL_FINAL;
    return arrival_rename(e->piece, to_name, temporary, &who, moves, why);
}

/* How long it stays */

static bool is_open(const struct upload_entry *e)
{
    bool open = e->life.open > 0;
    for (const struct upload_entry *c = e->children; c && !open; c = c->next)
        open = is_open(c);
    return open;
}

bool upload_set_stays(const struct upload_entry *folder)
{
    const enum life_rule rule = arrival_waits(folder->set) ? LIFE_SET : LIFE_UPLOAD;
    return is_open(folder) || arrival_is_judged(folder->set) || !lifetime_over(&folder->life, rule);
}

/* A folder with a set whose time has come. With the lock. */
static struct upload_entry *upload_set_next_over(struct upload_entry *dir)
{
    struct upload_entry *found = NULL;
    for (struct upload_entry *e = dir->children; e && !found; e = e->next)
        found = e->set && !upload_set_stays(e) ? e : upload_set_next_over(e);
    return found;
}

/* Takes the files of a set out of the tree, into a list. With the lock. */
static void upload_set_take_files(struct upload_entry *dir, struct upload_entry **out)
{
    for (struct upload_entry *e = dir->children, *next; e; e = next) {
        next = e->next;
        if (e->folder && !e->set)
            upload_set_take_files(e, out);
        if (!e->piece)
            continue;
        upload_tree_take(e);
        LL_PREPEND(*out, e);
    }
}

void upload_set_expire(struct uploads *d)
{
    for (;;) {
        struct upload_entry *files = NULL, *next;
        pthread_mutex_lock(&d->lock);
        struct upload_entry *folder = upload_set_next_over(&d->root);
        struct arrival *a = folder ? steal_ptr(&folder->set) : NULL;
        if (folder)
            upload_set_take_files(folder, &files);
        pthread_mutex_unlock(&d->lock);
        if (!a)
            return;
        arrival_drop(a);
        arrival_unref(a);
        for (; files; files = next) {
            next = files->next;
            node_unpin(d->fs->nodes, &files->node);
        }
    }
}
