/* SPDX-License-Identifier: MIT */
/* The names in restore/: a tree in memory. */
#include "fs/uploads_internal.h"

#include "fs/request.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct upload_entry *upload_tree_find(struct upload_entry *dir, const char *name)
{
    struct upload_entry *e = dir->children;
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    return e;
}

int upload_tree_path(const struct upload_entry *dir, const char *name, char out[PATH_MAX])
{
    if (!dir->parent)
        return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX ? 0 : -ENAMETOOLONG;
    char up[PATH_MAX];
    int r = upload_tree_path(dir->parent, dir->name, up);
    if (r < 0)
        return r;
    return snprintf(out, PATH_MAX, "%s/%s", up, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void upload_tree_put(struct upload_entry *dir, struct upload_entry *e)
{
    e->parent = dir;
    e->next = dir->children;
    dir->children = e;
}

void upload_tree_take(struct upload_entry *e)
{
    struct upload_entry **p = &e->parent->children;
    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    e->parent = NULL;
}

int upload_tree_add(struct request *r, struct upload_entry *dir, const char *name, mode_t mode,
                    bool folder, struct upload *upload, struct upload_entry **out)
{
    struct uploads *d = dir->all;
    struct upload_entry *e = calloc(1, sizeof(*e));
    if (!e || !(e->name = strdup(name))) {
        free(e);
        return -ENOMEM;
    }
    node_init(&e->node, dir->node.ops, NODE_UPLOAD, d->next_ino++, &dir->node);
    e->all = d;
    e->folder = folder;
    e->mode = mode & 07777;
    e->uid = r->ctx->uid;
    e->gid = r->ctx->gid;
    e->atime_ns = e->mtime_ns = e->written_ns = time_wall_ns();
    lifetime_use(&e->life);
    if (node_add(d->fs->nodes, &e->node, false) < 0) {
        free(e->name);
        free(e);
        return -ENOMEM;
    }
    e->upload = upload;
    node_repin(d->fs->nodes, &e->node);
    upload_tree_put(dir, e);
    *out = e;
    return 0;
}
