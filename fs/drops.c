/* SPDX-License-Identifier: MIT */
#include "fs/drops.h"

#include "fs/caller.h"
#include "fs/reports.h"
#include "fs/status.h"
#include "fs/xattrs.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/restore/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIBLE_NS ((int64_t)30 * 1000000000)

struct entry {
    struct node node;
    struct drops *drops;
    struct entry *parent; /* NULL: restore/ itself, or taken out of the tree */
    struct entry *children, *next;
    char *name;
    bool folder;
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
    int64_t atime_ns, mtime_ns;
    int64_t written_ns; /* the mtime of what was refused, whatever its tool sets */
    int64_t used_ns;    /* monotonic */
    unsigned open;
    struct upload *drop; /* of a file; NULL once its time has come */
    uint64_t size;       /* what it had then */
    struct xattrs xattrs;
};

struct drop_handle {
    struct handle h;
    bool writer, wrote;
};

/* A drop that was removed by one who did not wait for its end. */
struct orphan {
    struct upload *drop;
    struct orphan *next;
};

struct drops {
    struct entry root;
    struct orphan *orphans;
    struct fs *fs;
    struct node *log, *status;
    ino_t next_ino;
    pthread_mutex_t lock; /* guards the tree and its entries; not held while a drop works */
};

static const struct node_ops entry_ops;

static struct entry *find(struct entry *dir, const char *name)
{
    struct entry *e = dir->children;
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    return e;
}

/* The path of name in dir, below restore/. Called with the lock. */
static int path_of(const struct entry *dir, const char *name, char out[PATH_MAX])
{
    if (!dir->parent)
        return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX ? 0 : -ENAMETOOLONG;
    char up[PATH_MAX];
    int r = path_of(dir->parent, dir->name, up);
    if (r < 0)
        return r;
    return snprintf(out, PATH_MAX, "%s/%s", up, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void link_in(struct entry *dir, struct entry *e)
{
    e->parent = dir;
    e->next = dir->children;
    dir->children = e;
}

static void take_out(struct entry *e)
{
    struct entry **p = &e->parent->children;
    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    e->parent = NULL;
}

static void touch(struct entry *e)
{
    e->used_ns = time_mono_ns();
}

/* A new entry with one pin, which the tree keeps; the caller gets another. Called with the lock. */
static int add(struct request *r, struct entry *dir, const char *name, mode_t mode, bool folder,
               struct upload *drop, struct entry **out)
{
    struct drops *d = dir->drops;
    struct entry *e = calloc(1, sizeof(*e));
    if (!e || !(e->name = strdup(name))) {
        free(e);
        return -ENOMEM;
    }
    node_init(&e->node, &entry_ops, NODE_UPLOAD, d->next_ino++, &dir->node);
    e->drops = d;
    e->folder = folder;
    e->mode = mode & 07777;
    e->uid = r->ctx->uid;
    e->gid = r->ctx->gid;
    e->atime_ns = e->mtime_ns = e->written_ns = time_wall_ns();
    touch(e);
    if (node_add(d->fs->nodes, &e->node, false) < 0) {
        free(e->name);
        free(e);
        return -ENOMEM;
    }
    e->drop = drop;
    node_repin(d->fs->nodes, &e->node);
    link_in(dir, e);
    *out = e;
    return 0;
}

static int entry_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct entry *e = (struct entry *)n;
    (void)h;
    pthread_mutex_lock(&e->drops->lock);
    uint64_t size = e->drop ? drop_size(e->drop) : e->size;
    int64_t mtime = e->drop && drop_refused(e->drop) ? e->written_ns : e->mtime_ns;
    fs_attr(r->fs, st, n, (e->folder ? S_IFDIR : S_IFREG) | e->mode, size, mtime);
    st->st_atim = (struct timespec){e->atime_ns / 1000000000, e->atime_ns % 1000000000};
    if (e != &e->drops->root) {
        st->st_uid = e->uid;
        st->st_gid = e->gid;
        fs_mask(r->fs, st);
    }
    pthread_mutex_unlock(&e->drops->lock);
    return 0;
}

static int entry_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct entry *d = (struct entry *)dir;
    struct drops *drops = d->drops;
    if (!d->folder)
        return -ENOTDIR;
    struct node *fixed = d != &drops->root                  ? NULL
                         : strcmp(name, "log") == 0         ? drops->log
                         : strcmp(name, "status.json") == 0 ? drops->status
                                                            : NULL;
    pthread_mutex_lock(&drops->lock);
    struct entry *e = fixed ? NULL : find(d, name);
    struct node *n = fixed ? fixed : e ? &e->node : NULL;
    if (n)
        node_repin(r->fs->nodes, n);
    pthread_mutex_unlock(&drops->lock);
    if (!n)
        return -ENOENT;
    *child = n;
    return 0;
}

static int entry_list(struct request *r, struct node *dir, struct names *out)
{
    struct entry *d = (struct entry *)dir;
    int rc = 0;
    (void)r;
    if (!d->folder)
        return -ENOTDIR;
    if (d == &d->drops->root) {
        rc = names_add(out, "log", INO_RESTORE_LOG, S_IFREG);
        if (rc == 0)
            rc = names_add(out, "status.json", INO_RESTORE_STATUS, S_IFREG);
    }
    pthread_mutex_lock(&d->drops->lock);
    for (const struct entry *e = d->children; rc == 0 && e; e = e->next)
        rc = names_add(out, e->name, e->node.ino, e->folder ? S_IFDIR : S_IFREG);
    pthread_mutex_unlock(&d->drops->lock);
    return rc;
}

static struct handle *new_handle(struct entry *e, bool writer)
{
    struct drop_handle *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->writer = writer;
    e->open++;
    if (writer)
        upload_open(e->drop);
    touch(e);
    return &h->h;
}

/* Whether a restore can begin is told when the file is opened, before anything is copied. */
static int may_begin(struct request *r)
{
    struct err why = {0};
    int rc = r->fs->restore ? session_may_begin(r->fs->restore, &why) : -EROFS;
    if (rc < 0 && why.text[0])
        status_failed(r->fs->status, "restore", why.text);
    return rc;
}

static int entry_create(struct request *r, struct node *dir, const char *name, mode_t mode,
                        int flags, struct node **child, struct handle **h)
{
    struct entry *d = (struct entry *)dir, *e;
    char path[PATH_MAX];
    struct upload *drop;
    (void)flags;
    int rc = may_begin(r);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&d->drops->lock);
    rc = find(d, name) ? -EEXIST : path_of(d, name, path);
    if (rc == 0)
        rc = upload_new(r->fs->restore, path, &drop);
    if (rc == 0) {
        rc = add(r, d, name, mode, false, drop, &e);
        if (rc < 0)
            upload_free(drop);
        else if (!(*h = new_handle(e, true)))
            rc = -ENOMEM; /* an empty file without a handle: harmless, and gone soon */
        else
            *child = &e->node;
    }
    pthread_mutex_unlock(&d->drops->lock);
    return rc;
}

static int entry_mkdir(struct request *r, struct node *dir, const char *name, mode_t mode,
                       struct node **child)
{
    struct entry *d = (struct entry *)dir, *e;
    if (!r->fs->restore)
        return -EROFS;
    pthread_mutex_lock(&d->drops->lock);
    int rc = find(d, name) ? -EEXIST : add(r, d, name, mode, true, NULL, &e);
    pthread_mutex_unlock(&d->drops->lock);
    if (rc == 0)
        *child = &e->node;
    return rc;
}

static int entry_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct entry *e = (struct entry *)n;
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    if (e->folder)
        return -EISDIR;
    int rc = writer ? may_begin(r) : 0;
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&e->drops->lock);
    struct handle *nh = e->drop ? new_handle(e, writer) : NULL;
    rc = nh ? 0 : e->drop ? -ENOMEM : -ESTALE;
    pthread_mutex_unlock(&e->drops->lock);
    if (rc == 0 && writer && (flags & O_TRUNC)) {
        const struct tarball_reader who = {request_interrupted, r};
        struct err why = {0};
        rc = upload_truncate(e->drop, 0, &who, &why);
        if (rc < 0) {
            nh->node = n;
            entry_ops.release(nh);
        }
    }
    if (rc == 0)
        *h = nh;
    return rc;
}

/* What was copied here has been unpacked: there is nothing to read back. */
static ssize_t entry_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    const struct entry *e = (const struct entry *)h->node;
    (void)r, (void)buf, (void)n;
    return off >= upload_size(e->drop) ? 0 : -EIO;
}

static int entry_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off)
{
    struct drop_handle *dh = (struct drop_handle *)h;
    struct entry *e = (struct entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    pthread_mutex_lock(&e->drops->lock);
    bool first = !dh->wrote && off == 0;
    dh->wrote = true;
    pthread_mutex_unlock(&e->drops->lock);
    int rc = first ? upload_rewind(e->drop, &who) : 0;
    if (rc == 0)
        rc = upload_write(e->drop, buf, n, off, &who, &why);
    pthread_mutex_lock(&e->drops->lock);
    e->mtime_ns = e->written_ns = time_wall_ns();
    touch(e);
    pthread_mutex_unlock(&e->drops->lock);
    return rc;
}

static int entry_flush(struct request *r, struct handle *h)
{
    const struct drop_handle *dh = (const struct drop_handle *)h;
    struct entry *e = (struct entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    if (!dh->writer)
        return 0;
    if (caller_was_killed(r->ctx->pid)) {
        upload_killed(e->drop);
        return 0;
    }
    int rc = upload_flush(e->drop, &who, &why);
    if (rc < 0 && upload_size(e->drop) > 0)
        status_failed(r->fs->status, "restore", why.text);
    return rc;
}

static void entry_release(struct handle *h)
{
    struct drop_handle *dh = (struct drop_handle *)h;
    struct entry *e = (struct entry *)h->node;
    if (dh->writer)
        upload_close(e->drop);
    pthread_mutex_lock(&e->drops->lock);
    e->open--;
    touch(e);
    pthread_mutex_unlock(&e->drops->lock);
    free(dh);
}

/* Ends the drop of an entry that nobody has open; it is then only a name and a size. */
static struct upload *take_drop(struct entry *e)
{
    struct upload *d = e->drop;
    if (!d || e->open)
        return NULL;
    e->size = upload_size(d);
    e->drop = NULL;
    return d;
}

/* Removes what was staged, and waits for it, unless the caller is killed meanwhile: then the timer
 * frees what is left. */
static void end_drop(struct request *r, struct upload *drop)
{
    const struct tarball_reader who = {request_interrupted, r};
    struct drops *d = r->fs->drops;
    struct orphan *o = NULL;
    if (drop && upload_abandon(drop, "it was given up before it was restored", &who) == -EINTR)
        o = malloc(sizeof(*o));
    if (!o) {
        upload_free(drop);
        return;
    }
    pthread_mutex_lock(&d->lock);
    *o = (struct orphan){drop, d->orphans};
    d->orphans = o;
    pthread_mutex_unlock(&d->lock);
}

static int entry_unlink(struct request *r, struct node *dir, const char *name, bool folder)
{
    struct entry *d = (struct entry *)dir;
    struct upload *drop = NULL;
    pthread_mutex_lock(&d->drops->lock);
    struct entry *e = find(d, name);
    int rc = !e                      ? -ENOENT
             : folder && !e->folder  ? -ENOTDIR
             : !folder && e->folder  ? -EISDIR
             : folder && e->children ? -ENOTEMPTY
                                     : 0;
    if (rc == 0) {
        take_out(e);
        drop = take_drop(e);
    }
    pthread_mutex_unlock(&d->drops->lock);
    if (rc < 0)
        return e ? rc : -EROFS; /* what has no entry is the log, or status.json */
    const struct tarball_reader who = {request_interrupted, r};
    if (!drop && e->drop)
        upload_abandon(e->drop, "it was removed while it was written", &who);
    end_drop(r, drop);
    node_unpin(r->fs->nodes, &e->node);
    return 0;
}

static int may_rename(struct entry *from, const char *name, struct entry *to, const char *to_name,
                      unsigned flags, char path[PATH_MAX], struct entry **out)
{
    struct entry *e = find(from, name), *old = find(to, to_name);
    if (!e)
        return -ENOENT;
    if (e->folder || (old && old->folder))
        return -EPERM; /* only files are renamed here */
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        return -EINVAL;
    if (old && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    *out = e;
    return path_of(to, to_name, path);
}

/* A snapshot that was copied under a name with a dot is restored when it gets its own. */
static int entry_rename(struct request *r, struct node *dir, const char *name, struct node *to_dir,
                        const char *to_name, unsigned flags)
{
    struct entry *from = (struct entry *)dir, *to = (struct entry *)to_dir, *e;
    struct drops *d = from->drops;
    const struct tarball_reader who = {request_interrupted, r};
    char path[PATH_MAX];
    struct err why = {0};
    pthread_mutex_lock(&d->lock);
    int rc = may_rename(from, name, to, to_name, flags, path, &e);
    char *fresh = rc == 0 ? strdup(to_name) : NULL;
    if (rc == 0) {
        e->open++; /* it stays, and keeps its drop, while the store is exchanged */
        touch(e);
    }
    pthread_mutex_unlock(&d->lock);
    if (rc < 0)
        return rc;
    rc = fresh ? upload_rename(e->drop, path, &who, &why) : -ENOMEM;
    if (rc < 0)
        status_failed(r->fs->status, "restore", why.text);
    struct entry *replaced = NULL;
    pthread_mutex_lock(&d->lock);
    e->open--;
    touch(e);
    if (rc == 0 && e->parent) {
        replaced = find(to, to_name);
        if (replaced == e)
            replaced = NULL;
        if (replaced)
            take_out(replaced);
        take_out(e);
        link_in(to, e);
        char *old = e->name;
        e->name = fresh;
        fresh = old;
    }
    pthread_mutex_unlock(&d->lock);
    free(fresh);
    if (replaced)
        node_unpin(r->fs->nodes, &replaced->node);
    return rc;
}

static int64_t time_of(const struct timespec *t, bool now)
{
    return now ? time_wall_ns() : io_ts_ns(t);
}

static int entry_setattr(struct request *r, struct node *n, struct handle *h, const struct stat *st,
                         int to_set)
{
    struct entry *e = (struct entry *)n;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    (void)h;
    pthread_mutex_lock(&e->drops->lock);
    if (to_set & FUSE_SET_ATTR_MODE)
        e->mode = st->st_mode & 07777;
    if (to_set & FUSE_SET_ATTR_UID)
        e->uid = st->st_uid;
    if (to_set & FUSE_SET_ATTR_GID)
        e->gid = st->st_gid;
    if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
        e->atime_ns = time_of(&st->st_atim, to_set & FUSE_SET_ATTR_ATIME_NOW);
    if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
        e->mtime_ns = time_of(&st->st_mtim, to_set & FUSE_SET_ATTR_MTIME_NOW);
    touch(e);
    bool resize = (to_set & FUSE_SET_ATTR_SIZE) && !e->folder && e->drop;
    e->open += resize;
    pthread_mutex_unlock(&e->drops->lock);
    if (!resize)
        return 0;
    int rc = upload_truncate(e->drop, (uint64_t)st->st_size, &who, &why);
    pthread_mutex_lock(&e->drops->lock);
    e->open--;
    pthread_mutex_unlock(&e->drops->lock);
    return rc;
}

static int entry_setxattr(struct request *r, struct node *n, const char *name, const void *value,
                          size_t len, int flags)
{
    struct entry *e = (struct entry *)n;
    (void)r;
    pthread_mutex_lock(&e->drops->lock);
    int rc = xattrs_set(&e->xattrs, name, value, len, flags);
    pthread_mutex_unlock(&e->drops->lock);
    return rc;
}

static ssize_t entry_getxattr(struct request *r, struct node *n, const char *name, void *value,
                              size_t max)
{
    struct entry *e = (struct entry *)n;
    (void)r;
    pthread_mutex_lock(&e->drops->lock);
    ssize_t len = xattrs_get(&e->xattrs, name, value, max);
    pthread_mutex_unlock(&e->drops->lock);
    return len;
}

static ssize_t entry_listxattr(struct request *r, struct node *n, char *list, size_t max)
{
    struct entry *e = (struct entry *)n;
    (void)r;
    pthread_mutex_lock(&e->drops->lock);
    ssize_t len = xattrs_list(&e->xattrs, list, max);
    pthread_mutex_unlock(&e->drops->lock);
    return len;
}

static int entry_removexattr(struct request *r, struct node *n, const char *name)
{
    struct entry *e = (struct entry *)n;
    (void)r;
    pthread_mutex_lock(&e->drops->lock);
    int rc = xattrs_remove(&e->xattrs, name);
    pthread_mutex_unlock(&e->drops->lock);
    return rc;
}

static void entry_free(struct node *n)
{
    struct entry *e = (struct entry *)n;
    if (e == &e->drops->root)
        return;
    upload_free(e->drop);
    xattrs_clear(&e->xattrs);
    free(e->name);
    free(e);
}

static const struct node_ops entry_ops = {
    .getattr = entry_getattr,
    .free = entry_free,
    .lookup = entry_lookup,
    .list = entry_list,
    .create = entry_create,
    .mkdir = entry_mkdir,
    .unlink = entry_unlink,
    .rename = entry_rename,
    .open = entry_open,
    .read = entry_read,
    .write = entry_write,
    .flush = entry_flush,
    .release = entry_release,
    .setattr = entry_setattr,
    .setxattr = entry_setxattr,
    .getxattr = entry_getxattr,
    .listxattr = entry_listxattr,
    .removexattr = entry_removexattr,
};

/* Takes one entry whose time has come out of the tree, the deepest first. */
static struct entry *expired(struct entry *dir, int64_t now)
{
    for (struct entry *e = dir->children; e; e = e->next) {
        struct entry *below = e->folder ? expired(e, now) : NULL;
        if (below)
            return below;
        if (!e->open && !e->children && now - e->used_ns >= VISIBLE_NS)
            return e;
    }
    return NULL;
}

static void free_orphans(struct drops *d)
{
    pthread_mutex_lock(&d->lock);
    struct orphan *o = steal_ptr(&d->orphans), *next;
    pthread_mutex_unlock(&d->lock);
    for (; o; o = next) {
        next = o->next;
        upload_free(o->drop);
        free(o);
    }
}

void drops_expire(struct fs *fs)
{
    struct drops *d = fs->drops;
    free_orphans(d);
    if (fs->restore)
        session_expire(fs->restore);
    for (;;) {
        struct upload *drop = NULL;
        pthread_mutex_lock(&d->lock);
        struct entry *e = expired(&d->root, time_mono_ns());
        if (e) {
            take_out(e);
            drop = take_drop(e);
        }
        pthread_mutex_unlock(&d->lock);
        if (!e)
            return;
        upload_free(drop);
        node_unpin(fs->nodes, &e->node);
    }
}

int drops_new(struct fs *fs, struct node **out)
{
    struct drops *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->fs = fs;
    d->next_ino = INO_UPLOADS;
    node_init(&d->root.node, &entry_ops, NODE_UPLOAD, INO_RESTORE, NULL);
    d->root.drops = d;
    d->root.folder = true;
    d->root.mode = 0700;
    d->root.mtime_ns = d->root.atime_ns = fs->started_ns;
    int r = report_restore_log(fs, &d->log);
    if (r == 0)
        r = report_restore_status(fs, &d->status);
    if (r == 0)
        r = node_add(fs->nodes, &d->root.node, false);
    if (r < 0) {
        drops_free(d);
        return r;
    }
    fs->drops = d;
    *out = &d->root.node;
    return 0;
}

void drops_free(struct drops *d)
{
    if (!d)
        return;
    free_orphans(d);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
