/* SPDX-License-Identifier: MIT */
/* A file or folder in restore/: its attributes, and its bytes, which go to the store's upload. */
#include "fs/uploads_internal.h"

#include "fs/caller.h"
#include "fs/recorder.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

int upload_file_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)h;
    lock_scope(&e->all->lock);
    uint64_t size = e->upload ? upload_size(e->upload) : e->size;
    int64_t mtime = e->upload && upload_refused(e->upload) ? e->written_ns : e->mtime_ns;
    fs_attr(r->fs, st, n, (e->folder ? S_IFDIR : S_IFREG) | e->mode, size, mtime);
    st->st_atim = (struct timespec){e->atime_ns / 1000000000, e->atime_ns % 1000000000};
    if (e != &e->all->root) {
        st->st_uid = e->uid;
        st->st_gid = e->gid;
        fs_mask(r->fs, st);
    }
    return 0;
}

struct handle *upload_file_handle(struct upload_entry *e, bool writer)
{
    struct upload_handle *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->writer = writer;
    e->life.open++;
    if (writer)
        upload_open(e->upload);
    lifetime_use(&e->life);
    return &h->h;
}

int upload_file_may_begin(struct request *r, const char *name)
{
    struct err why = {0};
    int rc = r->fs->restore ? session_may_begin(r->fs->restore, &why) : -EROFS;
    if (rc == 0 || !why.text[0])
        return rc;
    status_failed(r->fs->status, "restore", why.text);
    recorder_restore_ended(r->fs, &(struct account_end){.name = name, .why = why.text});
    return rc;
}

/* The bytes copied here have been unpacked: there is nothing to read back. */
ssize_t upload_file_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    const struct upload_entry *e = (const struct upload_entry *)h->node;
    (void)r, (void)buf, (void)n;
    return off >= upload_size(e->upload) ? 0 : -EIO;
}

int upload_file_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off)
{
    struct upload_handle *uh = (struct upload_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    pthread_mutex_lock(&e->all->lock);
    bool first = !uh->wrote && off == 0;
    uh->wrote = true;
    pthread_mutex_unlock(&e->all->lock);
    int rc = first ? upload_rewind(e->upload, &who) : 0;
    if (rc == 0)
        rc = upload_write(e->upload, buf, n, off, &who, &why);
    lock_scope(&e->all->lock);
    e->mtime_ns = e->written_ns = time_wall_ns();
    lifetime_use(&e->life);
    return rc;
}

int upload_file_flush(struct request *r, struct handle *h)
{
    const struct upload_handle *uh = (const struct upload_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    if (!uh->writer)
        return 0;
    if (caller_was_killed(r->ctx->pid)) {
        upload_killed(e->upload);
        return 0;
    }
    const bool written = upload_size(e->upload) > 0;
    int rc = upload_flush(e->upload, &who, &why);
    if (rc < 0 && written)
        status_failed(r->fs->status, "restore", why.text);
    return rc;
}

void upload_file_release(struct handle *h)
{
    struct upload_handle *uh = (struct upload_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    if (uh->writer)
        upload_close(e->upload);
    pthread_mutex_lock(&e->all->lock);
    e->life.open--;
    lifetime_use(&e->life);
    pthread_mutex_unlock(&e->all->lock);
    free(uh);
}

int upload_file_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct upload_entry *e = (struct upload_entry *)n;
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    if (e->folder)
        return -EISDIR;
    int rc = writer ? upload_file_may_begin(r, e->name) : 0;
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&e->all->lock);
    struct handle *nh = e->upload ? upload_file_handle(e, writer) : NULL;
    rc = nh ? 0 : e->upload ? -ENOMEM : -ESTALE;
    pthread_mutex_unlock(&e->all->lock);
    if (rc == 0 && writer && (flags & O_TRUNC)) {
        const struct tarball_reader who = {request_interrupted, r};
        struct err why = {0};
        rc = upload_truncate(e->upload, 0, &who, &why);
        if (rc < 0) {
            nh->node = n;
            upload_file_release(nh);
        }
    }
    if (rc == 0)
        *h = nh;
    return rc;
}

static int64_t time_of(const struct timespec *t, bool now)
{
    return now ? time_wall_ns() : time_from_spec(t);
}

int upload_file_setattr(struct request *r, struct node *n, struct handle *h, const struct stat *st,
                        int to_set)
{
    struct upload_entry *e = (struct upload_entry *)n;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    (void)h;
    pthread_mutex_lock(&e->all->lock);
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
    lifetime_use(&e->life);
    bool resize = (to_set & FUSE_SET_ATTR_SIZE) && !e->folder && e->upload;
    e->life.open += resize;
    pthread_mutex_unlock(&e->all->lock);
    if (!resize)
        return 0;
    int rc = upload_truncate(e->upload, (uint64_t)st->st_size, &who, &why);
    lock_scope(&e->all->lock);
    e->life.open--;
    return rc;
}

int upload_file_setxattr(struct request *r, struct node *n, const char *name, const void *value,
                         size_t len, int flags)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_set(&e->xattrs, name, value, len, flags);
}

ssize_t upload_file_getxattr(struct request *r, struct node *n, const char *name, void *value,
                             size_t max)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_get(&e->xattrs, name, value, max);
}

ssize_t upload_file_listxattr(struct request *r, struct node *n, char *list, size_t max)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_list(&e->xattrs, list, max);
}

int upload_file_removexattr(struct request *r, struct node *n, const char *name)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_remove(&e->xattrs, name);
}

void upload_file_free(struct node *n)
{
    struct upload_entry *e = (struct upload_entry *)n;
    if (e == &e->all->root)
        return;
    upload_free(e->upload);
    xattrs_clear(&e->xattrs);
    free(e->name);
    free(e);
}
