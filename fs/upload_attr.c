/* SPDX-License-Identifier: MIT */
/* The attributes of files and folders in restore/. */
#include "fs/uploads_internal.h"

#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <stdlib.h>

int upload_attr_get(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)h;
    lock_scope(&e->all->lock);
    uint64_t size = e->upload  ? upload_size(e->upload)
                    : e->piece ? arrival_size(e->piece)
                               : e->size;
    bool refused = e->upload ? upload_refused(e->upload) : e->piece && arrival_refused(e->piece);
    int64_t mtime = refused ? e->written_ns : e->mtime_ns;
    fs_attr(r->fs, st, n, (e->folder ? S_IFDIR : S_IFREG) | e->mode, size, mtime);
    st->st_atim = (struct timespec){e->atime_ns / 1000000000, e->atime_ns % 1000000000};
    if (!e->fixed) {
        st->st_uid = e->uid;
        st->st_gid = e->gid;
        fs_mask(r->fs, st);
    }
    return 0;
}

static int64_t time_of(const struct timespec *t, bool now)
{
    return now ? time_wall_ns() : time_from_spec(t);
}

int upload_attr_set(struct request *r, struct node *n, struct handle *h, const struct stat *st,
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
    upload_tree_use(e);
    bool resize = (to_set & FUSE_SET_ATTR_SIZE) && (e->upload || e->piece);
    e->life.open += resize;
    pthread_mutex_unlock(&e->all->lock);
    if (!resize)
        return 0;
    int rc = e->piece ? arrival_truncate(e->piece, (uint64_t)st->st_size, &who, &why)
                      : upload_truncate(e->upload, (uint64_t)st->st_size, &who, &why);
    if (rc < 0 && why.text[0])
        status_failed(r->fs->status, "restore", why.text);
    lock_scope(&e->all->lock);
    e->life.open--;
    return rc;
}

int upload_attr_setxattr(struct request *r, struct node *n, const char *name, const void *value,
                         size_t len, int flags)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_set(&e->xattrs, name, value, len, flags);
}

ssize_t upload_attr_getxattr(struct request *r, struct node *n, const char *name, void *value,
                             size_t max)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_get(&e->xattrs, name, value, max);
}

ssize_t upload_attr_listxattr(struct request *r, struct node *n, char *list, size_t max)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_list(&e->xattrs, list, max);
}

int upload_attr_removexattr(struct request *r, struct node *n, const char *name)
{
    struct upload_entry *e = (struct upload_entry *)n;
    (void)r;
    lock_scope(&e->all->lock);
    return xattrs_remove(&e->xattrs, name);
}

void upload_entry_free(struct node *n)
{
    struct upload_entry *e = (struct upload_entry *)n;
    if (e == &e->all->root) /* a part of e->all */
        return;
    upload_free(e->upload);
    arrival_file_free(e->piece);
    arrival_unref(e->set);
    xattrs_clear(&e->xattrs);
    free(e->name);
    free(e);
}
