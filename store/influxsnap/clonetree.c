/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/clone_internal.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define PIECE (1u << 20)

struct building {
    struct cuts *cuts;
    int fd;
    char *buf;
};

/* The retained inode may be the live store's: it must not be changed, only used if it fits. */
static bool is_as_wanted(int fd, const struct file_attr *a)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & 07777) == (a->mode & 07777) &&
           st.st_uid == a->uid && st.st_gid == a->gid && time_from_spec(&st.st_mtim) == a->mtime_ns;
}

static bool may_link(const char *path)
{
    const char *name = path_last(path);
    return name_is_tsm(name) || name_is_tombstone(name);
}

static int set_attr(int fd, const struct file_attr *a)
{
    const struct timespec t = time_to_spec(a->mtime_ns), times[2] = {t, t};
    if (fchown(fd, a->uid, a->gid) < 0 || fchmod(fd, a->mode & 07777) < 0 ||
        futimens(fd, times) < 0)
        return -errno;
    return 0;
}

static int clonetree_copy(struct building *b, int from, const struct cut_entry *f)
{
    autoclose int to = openat(b->fd, f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    for (uint64_t at = 0; at < f->attr.size;) {
        uint64_t left = f->attr.size - at;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        int r = io_pread_all(from, b->buf, n, at);
        if (r == 0)
            r = io_write_all(to, b->buf, n);
        if (r < 0)
            return r;
        at += n;
    }
    int r = set_attr(to, &f->attr);
    return r < 0 ? r : io_close(&to);
}

static int clonetree_add_file(struct building *b, const struct cut_entry *f, struct err *e)
{
    char proc[64];
    autoclose int fd = cuts_open_file(b->cuts, f, e);
    if (fd < 0)
        return fd;
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    if (may_link(f->path) && is_as_wanted(fd, &f->attr) &&
        linkat(AT_FDCWD, proc, b->fd, f->path, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    int r = clonetree_copy(b, fd, f);
    return r < 0 ? err_sys(e, r, "the clone's %s", f->path) : 0;
}

static int finish_folder(const struct building *b, const struct cut_entry *f)
{
    autoclose int fd = openat(b->fd, f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : set_attr(fd, &f->attr);
}

int clonetree_build(struct cuts *c, const struct cutstate *s, int fd, struct err *e)
{
    size_t n;
    const struct cut_entry *entries = cutstate_entries(s, &n);
    autofree char *buf = malloc(PIECE);
    struct building b = {c, fd, buf};
    if (!buf)
        return err_sys(e, -ENOMEM, "clone");
    for (size_t i = 0; i < n; i++) {
        int r = 0;
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        if (!cut_is_folder(&entries[i]))
            r = clonetree_add_file(&b, &entries[i], e);
        else if (mkdirat(fd, entries[i].path, 0700) < 0)
            r = err_sys(e, -errno, "the clone's %s", entries[i].path);
        if (r < 0)
            return r;
    }
    /* Innermost first, since making an entry changes a folder's time. */
    for (size_t i = n; i-- > 0;) {
        int r = cut_is_folder(&entries[i]) ? finish_folder(&b, &entries[i]) : 0;
        if (r < 0)
            return err_sys(e, r, "the clone's %s", entries[i].path);
    }
    return 0;
}
