/* SPDX-License-Identifier: MIT */
/*
 * live/: the store's own files as they are now, read-only.
 *
 * A node is a path and the inode found there by the look-up. Only what users have open is held
 * open, so a look-up pins nothing. Each access walks down from the configured folder by descriptors
 * and follows no link. If another inode is at the path by then, it gives ESTALE, and the kernel
 * looks again.
 */
#include "fs/branches.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum root { META, DATA, WAL, ROOTS };
static const char *const root_names[ROOTS] = {"meta", "data", "wal"};

struct live {
    struct node node;
    pthread_mutex_t lock; /* guards open and fd */
    unsigned open;        /* handles */
    int fd;               /* of one of them, while there is one */
    struct live_key {
        dev_t dev;
        ino_t ino;
        enum root root;
        char path[]; /* below the root, and a 0; "" for the root itself */
    } key;
};

struct live_handle {
    struct handle h;
    int fd;
};

static const struct node_ops live_ops;

/* Opened each time, since a restore exchanges these folders. */
static int open_root(const struct fs *fs, enum root root)
{
    const char *const paths[ROOTS] = {fs->paths->meta, fs->paths->data, fs->paths->wal};
    int fd = open(paths[root], O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Hides our staging folder, and all but files, folders and links. */
static bool is_shown(const char *path, const struct stat *st)
{
    return !name_is_hidden(path) &&
           (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
}

static int stat_path(const struct fs *fs, enum root root, const char *path, struct stat *st)
{
    autoclose int fd = open_root(fs, root);
    if (fd < 0)
        return fd;
    int r = io_stat_beneath(fd, path, st);
    if (r == 0 && !is_shown(path, st))
        r = -ENOENT;
    return r == -ELOOP || r == -ENOTDIR ? -ENOENT : r;
}

/* Retaining a file links it. That is our own affair: its ctime and link count are shown as
 * before. */
static void show(const struct fs *fs, const struct live *l, struct stat *st)
{
    st->st_ino = l->node.ino;
    st->st_ctim = st->st_mtim;
    if (!S_ISDIR(st->st_mode))
        st->st_nlink = 1;
    fs_mask(fs, st);
    if (l->key.root == META)
        fs_hide_from_others(fs, st);
}

static bool is_same(const struct live *l, const struct stat *st)
{
    return l->key.dev == st->st_dev && l->key.ino == st->st_ino;
}

/* The node of path and inode, pinned. */
static int live_node(struct fs *fs, const struct node *dir, enum root root, const char *path,
                     const struct stat *st, struct node **out)
{
    size_t npath = strlen(path) + 1;
    struct live *l = calloc(1, sizeof(*l) + npath);
    if (!l)
        return -ENOMEM;
    node_init(&l->node, &live_ops, NODE_LIVE, ino_live(st->st_ino, root), dir);
    pthread_mutex_init(&l->lock, NULL);
    l->key.dev = st->st_dev;
    l->key.ino = st->st_ino;
    l->key.root = root;
    memcpy(l->key.path, path, npath);
    l->fd = -1;
    return node_find_or_add(fs->nodes, &l->node, &l->key, offsetof(struct live_key, path) + npath,
                            out);
}

static void live_free(struct node *n)
{
    struct live *l = (struct live *)n;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static int live_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct live *l = (struct live *)n;
    (void)h;
    int rc = -ENOENT;
    /* An open file answers for itself, wherever its name has gone. */
    pthread_mutex_lock(&l->lock);
    if (l->open)
        rc = fstat(l->fd, st) < 0 ? -errno : 0;
    pthread_mutex_unlock(&l->lock);
    if (rc < 0)
        rc = stat_path(r->fs, l->key.root, l->key.path, st);
    if (rc < 0)
        return rc;
    if (!is_same(l, st))
        return -ESTALE;
    show(r->fs, l, st);
    return 0;
}

static int live_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct live *d = (struct live *)dir;
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof(path), "%s%s%s", d->key.path, *d->key.path ? "/" : "", name) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    int rc = stat_path(r->fs, d->key.root, path, &st);
    return rc < 0 ? rc : live_node(r->fs, dir, d->key.root, path, &st, child);
}

/* Opens the node's file, and makes sure that it is the inode that was looked up. */
static int live_open_node(struct request *r, const struct live *l, int flags, struct stat *st)
{
    autoclose int root = open_root(r->fs, l->key.root);
    if (root < 0)
        return -ESTALE;
    autoclose int fd = io_open_beneath(root, l->key.path, flags);
    if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
        return -ESTALE;
    if (fd < 0)
        return fd;
    if (fstat(fd, st) < 0)
        return -errno;
    return is_same(l, st) ? steal_fd(&fd) : -ESTALE;
}

static int live_list(struct request *r, struct node *dir, struct names *out)
{
    struct live *d = (struct live *)dir;
    struct stat st;
    autoclose int fd = live_open_node(r, d, O_RDONLY | O_DIRECTORY, &st);
    if (fd < 0)
        return fd;
    cleanup(dir_free) struct dir list = {0};
    int rc = dir_read(fd, &list);
    for (size_t i = 0; rc == 0 && i < list.n; i++) {
        if (fstatat(fd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* gone since */
        if (*d->key.path == 0 && name_is_hidden(list.names[i]))
            continue;
        if (is_shown("", &st))
            rc = names_add(out, list.names[i], ino_live(st.st_ino, d->key.root), st.st_mode);
    }
    return rc;
}

static int live_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct live *l = (struct live *)n;
    struct stat st;
    (void)flags;
    autoclose int fd = live_open_node(r, l, O_RDONLY | O_NONBLOCK, &st);
    if (fd < 0)
        return fd;
    struct live_handle *lh = calloc(1, sizeof(*lh));
    if (!lh)
        return -ENOMEM;
    lh->fd = steal_fd(&fd);
    lock_scope(&l->lock);
    if (l->open++ == 0)
        l->fd = dup(lh->fd);
    *h = &lh->h;
    return 0;
}

static ssize_t live_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    const struct live_handle *lh = (struct live_handle *)h;
    size_t done = 0;
    (void)r;
    while (done < n) {
        ssize_t got = pread(lh->fd, *buf + done, n - done, (off_t)(off + done));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

static void live_release(struct handle *h)
{
    struct live_handle *lh = (struct live_handle *)h;
    struct live *l = (struct live *)h->node;
    pthread_mutex_lock(&l->lock);
    if (--l->open == 0) {
        cleanup_close(&l->fd);
        l->fd = -1;
    }
    pthread_mutex_unlock(&l->lock);
    close(lh->fd);
    free(lh);
}

static int live_readlink(struct request *r, struct node *n, char *buf, size_t max)
{
    struct live *l = (struct live *)n;
    struct stat st;
    autoclose int fd = live_open_node(r, l, O_PATH, &st);
    if (fd < 0)
        return fd;
    ssize_t len = readlinkat(fd, "", buf, max - 1);
    if (len < 0)
        return -errno;
    buf[len] = 0;
    return 0;
}

static const struct node_ops live_ops = {
    .getattr = live_getattr,
    .free = live_free,
    .lookup = live_lookup,
    .list = live_list,
    .open = live_open,
    .read = live_read,
    .release = live_release,
    .readlink = live_readlink,
};

static int live_folder_lookup(struct request *r, struct node *dir, const char *name,
                              struct node **child)
{
    for (int i = 0; i < ROOTS; i++) {
        struct stat st;
        if (strcmp(name, root_names[i]) != 0)
            continue;
        int rc = stat_path(r->fs, (enum root)i, "", &st);
        return rc < 0 ? rc : live_node(r->fs, dir, (enum root)i, "", &st, child);
    }
    return -ENOENT;
}

/* An empty list would have a mirror of it emptied. */
static int live_lost(const struct fs *fs)
{
    struct err e;
    int rc = store_is_gone(fs->paths, &e);
    status_failed(fs->status, "live/", e.text);
    return rc;
}

static int live_folder_list(struct request *r, struct node *dir, struct names *out)
{
    int rc = 0;
    (void)dir;
    for (int i = 0; rc == 0 && i < ROOTS; i++) {
        struct stat st;
        if (stat_path(r->fs, (enum root)i, "", &st) == 0)
            rc = names_add(out, root_names[i], ino_live(st.st_ino, (enum root)i), S_IFDIR);
    }
    return rc == 0 && snapshots_lost(r->fs->snapshots) ? live_lost(r->fs) : rc;
}

static const struct node_ops live_folder_ops = {
    .getattr = folder_getattr,
    .free = node_free,
    .lookup = live_folder_lookup,
    .list = live_folder_list,
};

int live_new(struct fs *fs, struct node **out)
{
    return node_new(fs->nodes, &live_folder_ops, NODE_FOLDER, INO_LIVE, out);
}
