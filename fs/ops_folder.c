/* SPDX-License-Identifier: MIT */
#include "fs/ops_folder.h"

#include "fs/fs.h"
#include "fs/request.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

/* An open folder: its names as of the open. */
struct dir_handle {
    struct handle h;
    struct names names;
};

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct request r = request_of(req);
    struct node *dir = request_node(&r, parent), *child;
    if (!dir)
        return;
    int rc = dir->ops->mkdir ? dir->ops->mkdir(&r, dir, name, mode, &child) : -EROFS;
    if (rc < 0)
        request_reply(req, rc);
    else
        request_reply_entry(&r, child);
    node_unpin(r.fs->nodes, dir);
}

static void ops_remove(fuse_req_t req, fuse_ino_t parent, const char *name, bool folder)
{
    struct request r = request_of(req);
    struct node *dir = request_node(&r, parent);
    if (!dir)
        return;
    request_reply(req, dir->ops->unlink ? dir->ops->unlink(&r, dir, name, folder) : -EROFS);
    node_unpin(r.fs->nodes, dir);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    ops_remove(req, parent, name, false);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    ops_remove(req, parent, name, true);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
               const char *to_name, unsigned flags)
{
    struct request r = request_of(req);
    struct node *dir = request_node(&r, parent);
    if (!dir)
        return;
    struct node *to = request_node(&r, to_parent);
    if (to) {
        /* Both ends must lie in restore/. */
        bool can = dir->ops->rename && to->ops == dir->ops;
        request_reply(req, can ? dir->ops->rename(&r, dir, name, to, to_name, flags) : -EROFS);
        node_unpin(r.fs->nodes, to);
    }
    node_unpin(r.fs->nodes, dir);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
    struct request r = request_of(req);
    struct node *dir = request_node(&r, parent);
    (void)name, (void)mode, (void)dev;
    if (!dir)
        return;
    request_reply(req, dir->ops->create ? -EPERM : -EROFS);
    node_unpin(r.fs->nodes, dir);
}

void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    (void)link;
    op_mknod(req, parent, name, 0, 0);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino;
    op_mknod(req, parent, name, 0, 0);
}

static int ops_list(struct request *r, struct node *n, struct names *out)
{
    if (!n->ops->list)
        return -ENOTDIR;
    int rc = names_add(out, ".", n->ino, S_IFDIR);
    if (rc == 0)
        rc = names_add(out, "..", n->up, S_IFDIR);
    return rc < 0 ? rc : n->ops->list(r, n, out);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    if (!n)
        return;
    struct dir_handle *d = calloc(1, sizeof(*d));
    int rc = d ? ops_list(&r, n, &d->names) : -ENOMEM;
    if (rc == 0) {
        d->h.node = n;
        fi->fh = (uintptr_t)d;
        if (fuse_reply_open(req, fi) == 0)
            return;
    } else {
        request_reply(req, rc);
    }
    if (d)
        names_clear(&d->names);
    free(d);
    node_unpin(r.fs->nodes, n);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    (void)ino;
    struct dir_handle *d = (struct dir_handle *)request_handle(fi);
    autofree char *buf = malloc(size);
    size_t used = 0;
    if (!buf) {
        request_reply(req, -ENOMEM);
        return;
    }
    for (size_t i = (size_t)off; i < d->names.n; i++) {
        struct stat st = {.st_ino = d->names.at[i].ino, .st_mode = d->names.at[i].type};
        const char *name = d->names.at[i].name;
        size_t n = fuse_add_direntry(req, buf + used, size - used, name, &st, (off_t)i + 1);
        if (n > size - used)
            break;
        used += n;
    }
    if (used == 0 && d->names.error)
        request_reply(req, d->names.error);
    else
        fuse_reply_buf(req, buf, used);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct dir_handle *d = (struct dir_handle *)request_handle(fi);
    struct node *n = d->h.node;
    names_clear(&d->names);
    free(d);
    request_reply(req, 0);
    node_unpin(r.fs->nodes, n);
}
