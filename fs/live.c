/* SPDX-License-Identifier: MIT */
#include "fs/live.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum root { META, DATA, WAL, ROOTS };
static const char *const root_names[ROOTS] = {"meta", "data", "wal"};

struct key {
    dev_t dev;
    ino_t ino;
    enum root root;
};

struct live {
    struct node node;
    struct live_branch *branch;
    struct key key;
    char *path;    /* below the root; "" for the root itself */
    unsigned open; /* handles */
    int fd;        /* of one of them, while there is one */
    UT_hash_handle by_key;
};

struct live_handle {
    struct handle h;
    int fd;
};

/* The folder live/ and all nodes below it. */
struct live_branch {
    struct node node;
    struct fs *fs;
    pthread_mutex_t lock; /* guards nodes, and their open and fd */
    struct live *nodes;
};

static const struct node_ops live_ops;

static const char *root_path(const struct fs *fs, enum root root)
{
    const struct store_paths *p = fs->paths;
    return root == META ? p->meta : root == DATA ? p->data : p->wal;
}

/* Opened anew each time: a restore exchanges these folders. */
static int open_root(const struct fs *fs, enum root root)
{
    int fd = open(root_path(fs, root), O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Hidden from view: our own staging folder, and what is neither a file, a folder nor a link. */
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

static ino_t shown_ino(ino_t ino, enum root root)
{
    return ino | (ino_t)(root + 1) << 60;
}

/* Retaining a file links it, which is nobody's business but ours: its ctime and link count are
 * shown as if it had not been. */
static void show(const struct live *l, struct stat *st)
{
    st->st_ino = shown_ino(st->st_ino, l->key.root);
    st->st_ctim = st->st_mtim;
    if (!S_ISDIR(st->st_mode))
        st->st_nlink = 1;
    fs_mask(l->branch->fs, st);
}

static struct key key_of(const struct stat *st, enum root root)
{
    struct key k;
    memset(&k, 0, sizeof(k));
    k.dev = st->st_dev;
    k.ino = st->st_ino;
    k.root = root;
    return k;
}

static bool is_same(const struct live *l, const struct stat *st)
{
    return l->key.dev == st->st_dev && l->key.ino == st->st_ino;
}

static struct live *find(struct live_branch *b, const struct key *k, const char *path)
{
    struct live *l;
    HASH_FIND(by_key, b->nodes, k, sizeof(*k), l);
    return l && strcmp(l->path, path) == 0 ? l : NULL;
}

static int add(struct live_branch *b, const struct key *k, const char *path, struct live **out)
{
    struct live *old, *l = calloc(1, sizeof(*l));
    if (!l || !(l->path = strdup(path))) {
        free(l);
        return -ENOMEM;
    }
    l->node.ops = &live_ops;
    l->branch = b;
    l->key = *k;
    l->fd = -1;
    /* The inode was known by another name: that node goes on by itself. */
    HASH_REPLACE(by_key, b->nodes, key, sizeof(l->key), l, old);
    node_add(b->fs->nodes, &l->node, false);
    *out = l;
    return 0;
}

/* The node of path and inode, pinned. */
static int node_for(struct live_branch *b, enum root root, const char *path, const struct stat *st,
                    struct node **out)
{
    struct key k = key_of(st, root);
    int r = 0;
    pthread_mutex_lock(&b->lock);
    struct live *l = find(b, &k, path);
    /* A node that is being freed is no longer in the node table. */
    if (l && node_pin(b->fs->nodes, l->node.id) == NULL)
        l = NULL;
    if (!l)
        r = add(b, &k, path, &l);
    pthread_mutex_unlock(&b->lock);
    if (r == 0)
        *out = &l->node;
    return r;
}

static void live_free(struct node *n)
{
    struct live *l = (struct live *)n, *listed;
    struct live_branch *b = l->branch;
    pthread_mutex_lock(&b->lock);
    HASH_FIND(by_key, b->nodes, &l->key, sizeof(l->key), listed);
    if (listed == l)
        HASH_DELETE(by_key, b->nodes, l);
    pthread_mutex_unlock(&b->lock);
    free(l->path);
    free(l);
}

static int live_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct live *l = (struct live *)n;
    (void)h;
    int rc = -ENOENT;
    /* While it is open, the file answers for itself, wherever its name has gone. */
    pthread_mutex_lock(&l->branch->lock);
    if (l->open)
        rc = fstat(l->fd, st) < 0 ? -errno : 0;
    pthread_mutex_unlock(&l->branch->lock);
    if (rc < 0)
        rc = stat_path(r->fs, l->key.root, l->path, st);
    if (rc < 0)
        return rc;
    if (!is_same(l, st))
        return -ESTALE;
    show(l, st);
    return 0;
}

static int live_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct live *d = (struct live *)dir;
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof(path), "%s%s%s", d->path, *d->path ? "/" : "", name) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    int rc = stat_path(r->fs, d->key.root, path, &st);
    return rc < 0 ? rc : node_for(d->branch, d->key.root, path, &st, child);
}

/* Opens the node's file and makes sure that it is the one that was looked up. */
static int open_node(struct request *r, const struct live *l, int flags, struct stat *st)
{
    autoclose int root = open_root(r->fs, l->key.root);
    if (root < 0)
        return -ESTALE;
    autoclose int fd = io_open_beneath(root, l->path, flags);
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
    autoclose int fd = open_node(r, d, O_RDONLY | O_DIRECTORY, &st);
    if (fd < 0)
        return fd;
    cleanup(dir_free) struct dir list = {0};
    int rc = dir_read(fd, &list);
    for (size_t i = 0; rc == 0 && i < list.n; i++) {
        if (fstatat(fd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* gone since */
        if (*d->path == 0 && name_is_hidden(list.names[i]))
            continue;
        if (is_shown("", &st))
            rc = names_add(out, list.names[i], shown_ino(st.st_ino, d->key.root), st.st_mode);
    }
    return rc;
}

static int live_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct live *l = (struct live *)n;
    struct stat st;
    (void)flags;
    autoclose int fd = open_node(r, l, O_RDONLY | O_NONBLOCK, &st);
    if (fd < 0)
        return fd;
    struct live_handle *lh = calloc(1, sizeof(*lh));
    if (!lh)
        return -ENOMEM;
    lh->fd = steal_fd(&fd);
    pthread_mutex_lock(&l->branch->lock);
    if (l->open++ == 0)
        l->fd = dup(lh->fd);
    pthread_mutex_unlock(&l->branch->lock);
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
    pthread_mutex_lock(&l->branch->lock);
    if (--l->open == 0) {
        cleanup_close(&l->fd);
        l->fd = -1;
    }
    pthread_mutex_unlock(&l->branch->lock);
    close(lh->fd);
    free(lh);
}

static int live_readlink(struct request *r, struct node *n, char *buf, size_t max)
{
    struct live *l = (struct live *)n;
    struct stat st;
    autoclose int fd = open_node(r, l, O_PATH, &st);
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

static int branch_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    (void)n, (void)h;
    fs_attr(r->fs, st, INO_LIVE, S_IFDIR | 0755, 0, r->fs->started_ns);
    return 0;
}

static int branch_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct live_branch *b = (struct live_branch *)dir;
    for (int i = 0; i < ROOTS; i++) {
        struct stat st;
        if (strcmp(name, root_names[i]) != 0)
            continue;
        int rc = stat_path(r->fs, (enum root)i, "", &st);
        return rc < 0 ? rc : node_for(b, (enum root)i, "", &st, child);
    }
    return -ENOENT;
}

static int branch_list(struct request *r, struct node *dir, struct names *out)
{
    int rc = 0;
    (void)dir;
    for (int i = 0; rc == 0 && i < ROOTS; i++) {
        struct stat st;
        if (stat_path(r->fs, (enum root)i, "", &st) == 0)
            rc = names_add(out, root_names[i], shown_ino(st.st_ino, (enum root)i), S_IFDIR);
    }
    return rc;
}

static void branch_free(struct node *n)
{
    (void)n; /* the nodes below may be freed later: see live_new */
}

static const struct node_ops branch_ops = {
    .entry_timeout = 60,
    .attr_timeout = 60,
    .getattr = branch_getattr,
    .free = branch_free,
    .lookup = branch_lookup,
    .list = branch_list,
};

int live_new(struct fs *fs, struct node **out)
{
    /* One for the life of the process: nodes below it go on needing its lock until the last is
     * freed. */
    static struct live_branch branch = {.lock = PTHREAD_MUTEX_INITIALIZER};
    branch.node.ops = &branch_ops;
    branch.fs = fs;
    node_add(fs->nodes, &branch.node, false);
    *out = &branch.node;
    return 0;
}
