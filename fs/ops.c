/* SPDX-License-Identifier: MIT */
/* From FUSE's requests to the nodes' operations: every request is answered exactly once, here. */
#include "fs/ahead.h"
#include "fs/fs.h"
#include "fs/space.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

/* A folder opened: its names, as of then. */
struct dir_handle {
    struct handle h;
    struct names names;
};

static struct request request_of(fuse_req_t req)
{
    return (struct request){fuse_req_userdata(req), req, fuse_req_ctx(req)};
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
    return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

static void reply(fuse_req_t req, int r)
{
    fuse_reply_err(req, -r);
}

/* The requested node, pinned; NULL after a reply of ESTALE. */
static struct node *get(const struct request *r, fuse_ino_t ino)
{
    struct node *n = node_pin(r->fs->nodes, ino);
    if (!n)
        reply(r->req, -ESTALE);
    return n;
}

static void put(const struct request *r, struct node *n)
{
    node_unpin(r->fs->nodes, n);
}

static int entry_of(struct request *r, struct node *n, struct fuse_entry_param *e)
{
    const struct cache_policy *cache = node_policy(n);
    *e = (struct fuse_entry_param){
        .ino = n->id, .attr_timeout = cache->attr, .entry_timeout = cache->entry};
    return n->ops->getattr(r, n, NULL, &e->attr);
}

/* Answers with a pinned node, whose pin is given up. */
static void reply_entry(struct request *r, struct node *n)
{
    struct fuse_entry_param e;
    int rc = entry_of(r, n, &e);
    if (rc < 0) {
        reply(r->req, rc);
    } else {
        node_looked_up(r->fs->nodes, n);
        if (fuse_reply_entry(r->req, &e) < 0)
            node_forget(r->fs->nodes, n->id, 1);
    }
    put(r, n);
}

/* Answers that there is no such name in the folder, or with another error. */
static void reply_absent(struct request *r, const struct node *dir, int rc)
{
    const struct fuse_entry_param none = {.entry_timeout = node_policy(dir)->absent};
    if (rc == -ENOENT && none.entry_timeout > 0)
        fuse_reply_entry(r->req, &none);
    else
        reply(r->req, rc);
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
    struct node *dir = get(&r, parent), *child;
    if (!dir)
        return;
    int rc = dir->ops->lookup ? dir->ops->lookup(&r, dir, name, &child) : -ENOTDIR;
    if (rc < 0)
        reply_absent(&r, dir, rc);
    else
        reply_entry(&r, child);
    put(&r, dir);
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

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    struct stat st;
    if (!n)
        return;
    int rc = n->ops->getattr(&r, n, handle_of(fi), &st);
    if (rc < 0)
        reply(req, rc);
    else
        fuse_reply_attr(req, &st, node_policy(n)->attr);
    put(&r, n);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    struct stat st;
    if (!n)
        return;
    int rc = n->ops->setattr ? n->ops->setattr(&r, n, handle_of(fi), attr, to_set) : -EROFS;
    if (rc == 0)
        rc = n->ops->getattr(&r, n, handle_of(fi), &st);
    if (rc < 0)
        reply(req, rc);
    else
        fuse_reply_attr(req, &st, node_policy(n)->attr);
    put(&r, n);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    char target[PATH_MAX];
    if (!n)
        return;
    int rc = n->ops->readlink ? n->ops->readlink(&r, n, target, sizeof(target)) : -EINVAL;
    if (rc < 0)
        reply(req, rc);
    else
        fuse_reply_readlink(req, target);
    put(&r, n);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct request r = request_of(req);
    struct node *dir = get(&r, parent), *child;
    if (!dir)
        return;
    int rc = dir->ops->mkdir ? dir->ops->mkdir(&r, dir, name, mode, &child) : -EROFS;
    if (rc < 0)
        reply(req, rc);
    else
        reply_entry(&r, child);
    put(&r, dir);
}

static void remove_child(fuse_req_t req, fuse_ino_t parent, const char *name, bool folder)
{
    struct request r = request_of(req);
    struct node *dir = get(&r, parent);
    if (!dir)
        return;
    reply(req, dir->ops->unlink ? dir->ops->unlink(&r, dir, name, folder) : -EROFS);
    put(&r, dir);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_child(req, parent, name, false);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_child(req, parent, name, true);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
                      const char *to_name, unsigned flags)
{
    struct request r = request_of(req);
    struct node *dir = get(&r, parent);
    if (!dir)
        return;
    struct node *to = get(&r, to_parent);
    if (to) {
        /* Both ends lie in restore/, or it is refused. */
        bool can = dir->ops->rename && to->ops == dir->ops;
        reply(req, can ? dir->ops->rename(&r, dir, name, to, to_name, flags) : -EROFS);
        put(&r, to);
    }
    put(&r, dir);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
    struct request r = request_of(req);
    struct node *dir = get(&r, parent);
    (void)name, (void)mode, (void)dev;
    if (!dir)
        return;
    reply(req, dir->ops->create ? -EPERM : -EROFS);
    put(&r, dir);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    (void)link;
    op_mknod(req, parent, name, 0, 0);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino;
    op_mknod(req, parent, name, 0, 0);
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
    struct node *n = get(&r, ino);
    struct handle *h;
    if (!n)
        return;
    bool writing = (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
    int rc = !n->ops->open               ? -EISDIR
             : writing && !n->ops->write ? -EROFS
                                         : n->ops->open(&r, n, fi->flags, &h);
    if (rc < 0) {
        reply(req, rc);
        put(&r, n);
        return;
    }
    h->node = n; /* which keeps the pin */
    fill_open(n, h, fi);
    if (fuse_reply_open(req, fi) < 0) {
        n->ops->release(h);
        put(&r, n);
    }
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *dir = get(&r, parent), *n;
    struct handle *h;
    struct fuse_entry_param e;
    if (!dir)
        return;
    int rc = dir->ops->create ? dir->ops->create(&r, dir, name, mode, fi->flags, &n, &h) : -EROFS;
    put(&r, dir);
    if (rc < 0) {
        reply(req, rc);
        return;
    }
    h->node = n;
    rc = entry_of(&r, n, &e);
    if (rc == 0) {
        fill_open(n, h, fi);
        node_looked_up(r.fs->nodes, n);
        if (fuse_reply_create(req, &e, fi) == 0)
            return;
        node_forget(r.fs->nodes, n->id, 1);
    } else {
        reply(req, rc);
    }
    n->ops->release(h);
    put(&r, n);
}

/* A buffer for each thread that reads: fresh memory for every request would cost more in page
 * faults than the copying does. */
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
    struct handle *h = handle_of(fi);
    char *buf = read_buffer(size);
    ssize_t n = buf ? h->node->ops->read(&r, h, &buf, size, (uint64_t)off) : -ENOMEM;
    if (buf)
        pthread_setspecific(buffer_key, buf);
    if (n < 0) {
        reply(req, (int)n);
        return;
    }
    /* The reader may close the file as soon as it has its answer. */
    const struct node_ops *ops = h->node->ops;
    fuse_reply_buf(req, buf, (size_t)n);
    if (ops->has_read)
        ops->has_read(h, (size_t)n, (uint64_t)off);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = handle_of(fi);
    int rc = h->node->ops->write(&r, h, buf, size, (uint64_t)off);
    if (rc < 0)
        reply(req, rc);
    else
        fuse_reply_write(req, size);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = handle_of(fi);
    reply(req, h->node->ops->flush ? h->node->ops->flush(&r, h) : 0);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct handle *h = handle_of(fi);
    struct node *n = h->node;
    n->ops->release(h);
    reply(req, 0);
    put(&r, n);
}

/* Nothing is lost by it: what a close says is the verdict. */
static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)ino, (void)datasync, (void)fi;
    reply(req, 0);
}

static int list_folder(struct request *r, struct node *n, struct names *out)
{
    if (!n->ops->list)
        return -ENOTDIR;
    int rc = names_add(out, ".", n->ino, S_IFDIR);
    if (rc == 0)
        rc = names_add(out, "..", n->up, S_IFDIR);
    return rc < 0 ? rc : n->ops->list(r, n, out);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    if (!n)
        return;
    struct dir_handle *d = calloc(1, sizeof(*d));
    int rc = d ? list_folder(&r, n, &d->names) : -ENOMEM;
    if (rc == 0) {
        d->h.node = n;
        fi->fh = (uintptr_t)d;
        if (fuse_reply_open(req, fi) == 0)
            return;
    } else {
        reply(req, rc);
    }
    if (d)
        names_clear(&d->names);
    free(d);
    put(&r, n);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    (void)ino;
    struct dir_handle *d = (struct dir_handle *)handle_of(fi);
    autofree char *buf = malloc(size);
    size_t used = 0;
    if (!buf) {
        reply(req, -ENOMEM);
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
        reply(req, d->names.error);
    else
        fuse_reply_buf(req, buf, used);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    struct request r = request_of(req);
    struct dir_handle *d = (struct dir_handle *)handle_of(fi);
    struct node *n = d->h.node;
    names_clear(&d->names);
    free(d);
    reply(req, 0);
    put(&r, n);
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
    struct node *n = get(&r, ino);
    if (!n)
        return;
    reply(req, n->ops->setxattr ? n->ops->setxattr(&r, n, name, value, size, flags) : -EROFS);
    put(&r, n);
}

static void reply_xattr(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
    if (n < 0)
        reply(req, (int)n);
    else if (size == 0)
        fuse_reply_xattr(req, (size_t)n);
    else if ((size_t)n > size)
        reply(req, -ERANGE);
    else
        fuse_reply_buf(req, buf, (size_t)n);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    if (!n)
        return;
    autofree char *buf = malloc(size ? size : 1);
    ssize_t len = !buf               ? -ENOMEM
                  : n->ops->getxattr ? n->ops->getxattr(&r, n, name, buf, size)
                                     : -ENODATA;
    reply_xattr(req, len, buf, size);
    put(&r, n);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    if (!n)
        return;
    autofree char *buf = malloc(size ? size : 1);
    ssize_t len = !buf ? -ENOMEM : n->ops->listxattr ? n->ops->listxattr(&r, n, buf, size) : 0;
    reply_xattr(req, len, buf, size);
    put(&r, n);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    struct request r = request_of(req);
    struct node *n = get(&r, ino);
    if (!n)
        return;
    reply(req, n->ops->removexattr ? n->ops->removexattr(&r, n, name) : -EROFS);
    put(&r, n);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                         struct fuse_file_info *fi)
{
    (void)ino, (void)mode, (void)off, (void)len, (void)fi;
    reply(req, -EOPNOTSUPP);
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
