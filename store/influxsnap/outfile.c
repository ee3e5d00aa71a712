/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/outfile.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct outfile {
    const char *path;
    char *folder;     /* path's */
    const char *name; /* path's last component */
    char *part;       /* the temporary name */
    int folder_fd, fd;
    bool there; /* part is ours and has not been renamed */
};

static int split(struct outfile *o)
{
    const char *slash = strrchr(o->path, '/');
    size_t n = slash ? (size_t)(slash - o->path) : 0;
    o->name = slash ? slash + 1 : o->path;
    o->folder = slash ? strndup(n ? o->path : "/", n ? n : 1) : strdup(".");
    if (!o->folder || asprintf(&o->part, ".%s.part", o->name) < 0)
        return -ENOMEM;
    return 0;
}

/* Whether the name still leads to the open file: its previous owner may have renamed or removed
 * it. */
static bool is_current(const struct outfile *o)
{
    struct stat a, b;
    return fstat(o->fd, &a) == 0 && fstatat(o->folder_fd, o->part, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int wait_for_lock(const struct outfile *o, bool *said, struct err *e)
{
    if (flock(o->fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK && !*said)
        snap_note("%s: waiting for another influxsnap that writes to it", o->path);
    *said = true;
    while (flock(o->fd, LOCK_EX) < 0)
        if (errno != EINTR || snap_stopped(NULL))
            return err_sys(e, -errno, "%s/%s", o->folder, o->part);
    return 0;
}

static int outfile_take_part(struct outfile *o, struct err *e)
{
    bool said = false;
    do {
        cleanup_close(&o->fd);
        o->fd = openat(o->folder_fd, o->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (o->fd < 0)
            return err_sys(e, -errno, "%s/%s", o->folder, o->part);
        int r = wait_for_lock(o, &said, e);
        if (r < 0)
            return r;
    } while (!is_current(o));
    o->there = true;
    return ftruncate(o->fd, 0) < 0 ? err_sys(e, -errno, "%s/%s", o->folder, o->part) : 0;
}

int outfile_open(const char *path, struct outfile **out, struct err *e)
{
    cleanup(outfile_closep) struct outfile *o = calloc(1, sizeof(*o));
    if (!o)
        return err_sys(e, -ENOMEM, "%s", path);
    *o = (struct outfile){.path = path, .folder_fd = -1, .fd = -1};
    int r = split(o);
    if (r < 0)
        return err_sys(e, r, "%s", path);
    if (!*o->name)
        return err_set(e, -EISDIR, "%s: is a folder; give the name of a file in it", path);
    o->folder_fd = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->folder_fd < 0)
        return err_sys(e, -errno, "%s", o->folder);
    r = outfile_take_part(o, e);
    if (r == 0)
        *out = steal_ptr(&o);
    return r;
}

int outfile_fd(const struct outfile *o)
{
    return o->fd;
}

/* Never replaces a file, as far as the file system can prevent that. */
static int rename_new(const struct outfile *o, const char *name)
{
    struct stat st;
    if (renameat2(o->folder_fd, o->part, o->folder_fd, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (fstatat(o->folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return renameat(o->folder_fd, o->part, o->folder_fd, name) < 0 ? -errno : 0;
}

int outfile_commit(struct outfile *o, const char *suffix, struct err *e)
{
    autofree char *name = NULL;
    if (asprintf(&name, "%s%s", o->name, suffix) < 0)
        return err_sys(e, -ENOMEM, "%s", o->path);
    int r = fsync(o->fd) < 0 ? -errno : rename_new(o, name);
    if (r < 0)
        return err_sys(e, r, "%s%s", o->path, suffix);
    o->there = false;
    r = io_sync_dir(o->folder_fd);
    return r < 0 ? err_sys(e, r, "%s", o->folder) : 0;
}

/* A rename would put a file in the place of a device or a fifo, or of a link to one, for all. */
static int outfile_check(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : err_sys(e, -errno, "%s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(e, -EISDIR, "%s: is a directory; give the name of a file in it", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "%s: not a file; without --output it goes to standard output",
                       path);
    return 0;
}

/* The name is new, so that nobody can have it lead elsewhere. */
int outfile_replace(const char *path, const char *text, mode_t mode, struct err *e)
{
    autofree char *part = NULL;
    int r = outfile_check(path, e);
    if (r < 0)
        return r;
    if (asprintf(&part, "%s.XXXXXX", path) < 0)
        return err_sys(e, -ENOMEM, "%s", path);
    autoclose int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, -errno, "%s", path);
    r = fchmod(fd, mode) < 0 ? -errno : io_write_all(fd, text, strlen(text));
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0)
        r = io_close(&fd);
    if (r == 0 && rename(part, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(part);
    return r < 0 ? err_sys(e, r, "%s", path) : 0;
}

void outfile_close(struct outfile *o)
{
    if (!o)
        return;
    if (o->there)
        unlinkat(o->folder_fd, o->part, 0);
    cleanup_close(&o->fd);
    cleanup_close(&o->folder_fd);
    free(o->folder);
    free(o->part);
    free(o);
}
