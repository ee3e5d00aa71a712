/* SPDX-License-Identifier: MIT */
/* Turns FUSE's requests into operations of nodes. Every request is answered exactly once, here. */
#include "fs/ahead.h"
#include "fs/fs.h"
#include "fs/ops_folder.h"
#include "fs/request.h"
#include "fs/space.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>

/* Answers that the folder has no such name, or with another error. */
static void ops_reply_absent(struct request *r, const struct node *dir, int rc)
{
    const struct fuse_entry_param none = {.entry_timeout = node_policy(dir)->absent};
    if (rc == -ENOENT && none.entry_timeout > 0)
        fuse_reply_entry(r->req, &none);
    else
        request_reply(r->req, rc);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    /* Copying beats splicing for what is laid out in memory. */
    conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    conn->max_write = AHEAD_BYTES; /* 256 pages, the kernel's own bound */
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct request r = request_of(req);
    struct node *dir = request_node(&r, parent), *child;
    if (!dir)
        return;
    int rc = dir->ops->lookup ? dir->ops->lookup(&r, dir, name, &child) : -ENOTDIR;
    if (rc < 0)
        ops_reply_absent(&r, dir, rc);
    else
        request_reply_entry(&r, child);
    node_unpin(r.fs->nodes, dir);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    struct fs *fs = fuse_req_userdata(req);
    node_forget(fs->nodes, ino, count);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct fs *fs = fuse_req_userdata(req);
    for (size_t i = 0; i < count; i++)
        node_forget(fs->nodes, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    struct stat st;
    int rc = 0;
    if (!n)
        return;
    if (to_set)
        rc = n->ops->setattr ? n->ops->setattr(&r, n, request_handle(fi), attr, to_set) : -EROFS;
    if (rc == 0)
        rc = n->ops->getattr(&r, n, request_handle(fi), &st);
    if (rc < 0)
        request_reply(req, rc);
    else
        fuse_reply_attr(req, &st, node_policy(n)->attr);
    node_unpin(r.fs->nodes, n);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    op_setattr(req, ino, NULL, 0, fi);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    char target[PATH_MAX];
    if (!n)
        return;
    int rc = n->ops->readlink ? n->ops->readlink(&r, n, target, sizeof(target)) : -EINVAL;
    if (rc < 0)
        request_reply(req, rc);
    else
        fuse_reply_readlink(req, target);
    node_unpin(r.fs->nodes, n);
}

static void fill_open(const struct node *n, struct handle *h, struct fuse_file_info *fi)
{
    fi->fh = (uintptr_t)h;
    fi->direct_io = node_policy(n)->direct;
    fi->keep_cache = node_policy(n)->keep;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    struct handle *h;
    if (!n)
        return;
    bool writing = (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
    int rc = !n->ops->open               ? -EISDIR
             : writing && !n->ops->write ? -EROFS
                                         : n->ops->open(&r, n, fi->flags, &h);
    if (rc < 0) {
        request_reply(req, rc);
        node_unpin(r.fs->nodes, n);
        return;
    }
    h->node = n; /* which keeps the pin */
    fill_open(n, h, fi);
    if (fuse_reply_open(req, fi) < 0) {
        n->ops->release(h);
        node_unpin(r.fs->nodes, n);
    }
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *dir = request_node(&r, parent), *n;
    struct handle *h;
    struct fuse_entry_param e;
    if (!dir)
        return;
    int rc = dir->ops->create ? dir->ops->create(&r, dir, name, mode, fi->flags, &n, &h) : -EROFS;
    node_unpin(r.fs->nodes, dir);
    if (rc < 0) {
        request_reply(req, rc);
        return;
    }
    h->node = n;
    rc = request_entry(&r, n, &e);
    if (rc == 0) {
        fill_open(n, h, fi);
        node_looked_up(r.fs->nodes, n);
        if (fuse_reply_create(req, &e, fi) == 0)
            return;
        node_forget(r.fs->nodes, n->id, 1);
    } else {
        request_reply(req, rc);
    }
    n->ops->release(h);
    node_unpin(r.fs->nodes, n);
}

/* A buffer for each reading thread: fresh memory for every request would cost more in page faults
 * than the copying does. */
static pthread_key_t buffer_key;

static void make_buffer_key(void)
{
    pthread_key_create(&buffer_key, free);
}

static char *read_buffer(size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_buffer_key);
    char *buf = pthread_getspecific(buffer_key);
    if (!buf && (buf = malloc(AHEAD_BYTES)))
        pthread_setspecific(buffer_key, buf);
    return size <= AHEAD_BYTES ? buf : NULL;
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = request_handle(fi);
    char *buf = read_buffer(size);
    ssize_t n = buf ? h->node->ops->read(&r, h, &buf, size, (uint64_t)off) : -ENOMEM;
    if (buf)
        pthread_setspecific(buffer_key, buf);
    if (n < 0) {
        request_reply(req, (int)n);
        return;
    }
    /* The reader may close the file as soon as it has the answer. */
    const struct node_ops *ops = h->node->ops;
    counters_read(&r.fs->counters, h->node->kind, (size_t)n);
    fuse_reply_buf(req, buf, (size_t)n);
    if (ops->has_read)
        ops->has_read(h, (size_t)n, (uint64_t)off);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = request_handle(fi);
    int rc = h->node->ops->write(&r, h, buf, size, (uint64_t)off);
    if (rc < 0)
        request_reply(req, rc);
    else
        fuse_reply_write(req, size);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = request_handle(fi);
    request_reply(req, h->node->ops->flush ? h->node->ops->flush(&r, h) : 0);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = request_handle(fi);
    struct node *n = h->node;
    n->ops->release(h);
    request_reply(req, 0);
    node_unpin(r.fs->nodes, n);
}

/* Nothing is lost: the close gives the verdict. */
static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)ino, (void)datasync, (void)fi;
    request_reply(req, 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct fs *fs = fuse_req_userdata(req);
    struct statvfs v;
    space_get(fs->space, &v);
    fuse_reply_statfs(req, &v);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    if (!n)
        return;
    request_reply(req,
                  n->ops->setxattr ? n->ops->setxattr(&r, n, name, value, size, flags) : -EROFS);
    node_unpin(r.fs->nodes, n);
}

static void ops_reply_xattr(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
    if (n < 0)
        request_reply(req, (int)n);
    else if (size == 0)
        fuse_reply_xattr(req, (size_t)n);
    else if ((size_t)n > size)
        request_reply(req, -ERANGE);
    else
        fuse_reply_buf(req, buf, (size_t)n);
}

/* The value of an attribute, or the list of their names. */
static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    if (!n)
        return;
    autofree char *buf = malloc(size ? size : 1);
    ssize_t len = name ? -ENODATA : 0;
    if (!buf)
        len = -ENOMEM;
    else if (name && n->ops->getxattr)
        len = n->ops->getxattr(&r, n, name, buf, size);
    else if (!name && n->ops->listxattr)
        len = n->ops->listxattr(&r, n, buf, size);
    ops_reply_xattr(req, len, buf, size);
    node_unpin(r.fs->nodes, n);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    op_getxattr(req, ino, NULL, size);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    struct request r = request_of(req);
    struct node *n = request_node(&r, ino);
    if (!n)
        return;
    request_reply(req, n->ops->removexattr ? n->ops->removexattr(&r, n, name) : -EROFS);
    node_unpin(r.fs->nodes, n);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                         struct fuse_file_info *fi)
{
    (void)ino, (void)mode, (void)off, (void)len, (void)fi;
    request_reply(req, -EOPNOTSUPP);
}

const struct fuse_lowlevel_ops fs_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .open = op_open,
    .create = op_create,
    .read = op_read,
    .write = op_write,
    .flush = op_flush,
    .release = op_release,
    .fsync = op_fsync,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .releasedir = op_releasedir,
    .statfs = op_statfs,
    .setxattr = op_setxattr,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .removexattr = op_removexattr,
    .fallocate = op_fallocate,
};
