/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/metafile.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PART NAME_META_DB ".rebuilt"
#define KEPT NAME_META_DB ".before-rebuild"
#define KEPT_MOST 1000

int metafile_read(const struct store_paths *p, struct metafile *out, struct err *e)
{
    *out = (struct metafile){0};
    autoclose int meta = open(p->meta, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (meta < 0 && errno == ENOENT)
        return 0;
    int r = meta < 0 ? -errno : io_read_file(meta, NAME_META_DB, META_DB_MAX, &out->bytes, &out->n);
    return r == 0 || r == -ENOENT ? 0 : err_sys(e, r, "%s/" NAME_META_DB, p->meta);
}

void metafile_clear(struct metafile *f)
{
    free(f->bytes);
    *f = (struct metafile){0};
}

/* A file of these bytes that is on disk, under the name PART. One that a killed run has left may be
 * linked to what that run kept. */
static int metafile_write_part(int meta, const void *bytes, size_t n, const struct stat *like)
{
    if (unlinkat(meta, PART, 0) < 0 && errno != ENOENT)
        return -errno;
    autoclose int fd = openat(meta, PART, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = fchown(fd, like->st_uid, like->st_gid) < 0 ? -errno : 0;
    if (r == 0 && fchmod(fd, like->st_mode & 0777) < 0)
        r = -errno;
    if (r == 0)
        r = io_write_all(fd, bytes, n);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r < 0 ? r : io_close(&fd);
}

/* The old one, under the first name that is free. */
static int metafile_keep(int meta, const struct metafile *old, const struct stat *like,
                         char name[64])
{
    int r = metafile_write_part(meta, old->bytes, old->n, like);
    for (int i = 1; r == 0 && i <= KEPT_MOST; i++) {
        snprintf(name, 64, i == 1 ? KEPT : KEPT "-%d", i);
        if (linkat(meta, PART, meta, name, 0) == 0)
            return unlinkat(meta, PART, 0) < 0 ? -errno : 0;
        if (errno == EPERM || errno == EOPNOTSUPP) /* a file system without links */
            return faccessat(meta, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -EEXIST
                   : renameat(meta, PART, meta, name) < 0                ? -errno
                                                                         : 0;
        r = errno == EEXIST && i < KEPT_MOST ? 0 : -errno;
    }
    return r;
}

/* Whose the new one is to be. */
static int metafile_like(const struct store_paths *p, int meta, struct stat *like)
{
    if (fstatat(meta, NAME_META_DB, like, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (stat(p->data, like) < 0)
        return -errno;
    like->st_mode = 0600;
    return 0;
}

static int metafile_open_folder(const struct store_paths *p)
{
    struct stat data;
    if (stat(p->data, &data) < 0)
        return -errno;
    int r = io_mkdir_p(p->meta, 0755, data.st_uid, data.st_gid);
    int fd = r < 0 ? r : open(p->meta, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 && r == 0 ? -errno : fd;
}

static int metafile_check_same(const struct store_paths *p, const struct metafile *old,
                               struct err *e)
{
    struct metafile now;
    int r = metafile_read(p, &now, e);
    if (r == 0 && (!now.bytes != !old->bytes || now.n != old->n ||
                   (now.bytes && memcmp(now.bytes, old->bytes, now.n) != 0)))
        r = err_set(e, -EBUSY, "%s/" NAME_META_DB " was changed meanwhile; try again", p->meta);
    metafile_clear(&now);
    return r;
}

int metafile_replace(const struct store_paths *p, const struct metafile *old, const void *bytes,
                     size_t n, char **kept, struct err *e)
{
    *kept = NULL;
    int r = metafile_check_same(p, old, e);
    if (r < 0)
        return r;
    autoclose int meta = metafile_open_folder(p);
    struct stat like;
    char name[64] = "";
    r = meta < 0 ? meta : metafile_like(p, meta, &like);
    if (r == 0 && old->bytes)
        r = metafile_keep(meta, old, &like, name);
    if (r == 0)
        r = metafile_write_part(meta, bytes, n, &like);
    if (r == 0)
        r = io_sync_dir(meta); /* the kept one is there before it goes */
    if (r == 0 && renameat(meta, PART, meta, NAME_META_DB) < 0)
        r = -errno;
    if (r == 0)
        r = io_sync_dir(meta);
    if (r < 0 && meta >= 0)
        unlinkat(meta, PART, 0);
    if (r == 0 && *name && asprintf(kept, "%s/%s", p->meta, name) < 0)
        r = -ENOMEM;
    return r < 0 ? err_sys(e, r, "%s/" NAME_META_DB, p->meta) : 0;
}
