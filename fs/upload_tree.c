/* SPDX-License-Identifier: MIT */
/* The tree of names in restore/. All with its lock. */
#include "fs/uploads_internal.h"

#include "fs/request.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct upload_entry *upload_tree_find(const struct upload_entry *dir, const char *name)
{
    struct upload_entry *e = dir->children;
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    return e;
}

int upload_tree_path(const struct upload_entry *dir, const char *name, char out[PATH_MAX])
{
    char up[PATH_MAX] = "";
    int r = dir->parent ? upload_tree_path(dir->parent, dir->name, up) : 0;
    if (r < 0)
        return r;
    int n = snprintf(out, PATH_MAX, "%s%s%s", up, *up ? "/" : "", name);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void upload_tree_put(struct upload_entry *dir, struct upload_entry *e)
{
    e->parent = dir;
    LL_PREPEND(dir->children, e);
}

void upload_tree_take(struct upload_entry *e)
{
    LL_DELETE(e->parent->children, e);
    e->parent = NULL;
}

/* A new entry in the tree, with the tree's pin. */
static int upload_tree_new(struct upload_entry *dir, const char *name, ino_t ino,
                           const struct node_ops *ops, struct upload_entry **out)
{
    struct uploads *d = dir->all;
    autofree struct upload_entry *e = calloc(1, sizeof(*e));
    autofree char *own = strdup(name);
    if (!e || !own)
        return -ENOMEM;
    node_init(&e->node, ops ? ops : dir->node.ops, NODE_UPLOAD, ino, &dir->node);
    e->all = d;
    if (node_add(d->fs->nodes, &e->node, false) < 0)
        return -ENOMEM;
    e->name = steal_ptr(&own);
    upload_tree_put(dir, e);
    *out = steal_ptr(&e);
    return 0;
}

int upload_tree_add(struct request *r, struct upload_entry *dir, const char *name, mode_t mode,
                    const struct node_ops *ops, struct upload_entry **out)
{
    struct upload_entry *e;
    int ret = upload_tree_new(dir, name, dir->all->next_ino++, ops, &e);
    if (ret < 0)
        return ret;
    e->folder = S_ISDIR(mode);
    e->mode = mode & 07777;
    e->uid = r->ctx->uid;
    e->gid = r->ctx->gid;
    e->atime_ns = e->mtime_ns = e->written_ns = time_wall_ns();
    lifetime_use(&e->life);
    node_repin(r->fs->nodes, &e->node);
    *out = e;
    return 0;
}

void upload_tree_use(struct upload_entry *e)
{
    for (; e; e = e->parent)
        lifetime_use(&e->life);
}

static void upload_tree_fix(struct upload_entry *e)
{
    e->folder = e->fixed = true;
    e->mode = 0700;
    e->mtime_ns = e->atime_ns = e->all->fs->started_ns;
}

static int upload_tree_add_fixed(struct upload_entry *dir, const char *name, ino_t ino,
                                 struct upload_entry **out)
{
    int ret = upload_tree_new(dir, name, ino, NULL, out);
    if (ret == 0)
        upload_tree_fix(*out);
    return ret;
}

int upload_tree_make(struct uploads *d, const struct node_ops *ops)
{
    struct upload_entry *root = &d->root, *merge, *other;
    node_init(&root->node, ops, NODE_UPLOAD, INO_RESTORE, NULL);
    root->all = d;
    upload_tree_fix(root);
    int ret = node_add(d->fs->nodes, &root->node, false);
    if (ret == 0)
        ret = upload_tree_add_fixed(root, "merge", INO_RESTORE_MERGE, &merge);
    if (ret == 0)
        ret = upload_tree_add_fixed(merge, "theirs", INO_RESTORE_THEIRS, &other);
    if (ret == 0)
        ret = upload_tree_add_fixed(merge, "ours", INO_RESTORE_OURS, &other);
    if (ret == 0)
        ret = upload_tree_add_fixed(root, "as", INO_RESTORE_AS, &other);
    return ret;
}
