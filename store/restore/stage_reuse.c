/* SPDX-License-Identifier: MIT */
/* Files and folders that are staged by taking them over from other folders. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/rmtree.h"
#include "store/base/time.h"
#include "store/influx/written.h"
#include "store/restore/stage_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES (1 << 20)

static int reuse_bytes(int from, int to)
{
    autofree char *buf = NULL;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            break;
    }
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -errno;
    if (!(buf = malloc(PIECE_BYTES)))
        return -ENOMEM;
    for (;;) {
        ssize_t n = read(from, buf, PIECE_BYTES);
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int r = io_write_all(to, buf, (size_t)n);
        if (r < 0)
            return r;
    }
}

static int reuse_copy(const struct stage *s, enum target_kind kind, const char *base, int from,
                      const struct stat *st)
{
    autoclose int in = openat(from, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int out = in < 0 ? -1
                               : openat(s->parent, base,
                                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return -errno;
    int r = reuse_bytes(in, out);
    if (r < 0)
        return r;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
    if ((s->uid[kind] != (uid_t)-1 && fchown(out, s->uid[kind], s->gid[kind]) < 0) ||
        fchmod(out, st->st_mode & 0777) < 0 || futimens(out, times) < 0)
        return -errno;
    return io_close(&out);
}

/* Where link(2) will not do, be it the file system, a limit, or another one, a copy does. */
static bool cannot_link(int code)
{
    return code == -EXDEV || code == -EPERM || code == -EMLINK || code == -EOPNOTSUPP ||
           code == -ENOSYS || code == -EACCES;
}

/* from: the folder of the file there. */
static int reuse_file(struct stage *s, const char *name, enum target_kind kind, int from)
{
    struct stat st;
    const char *base = path_last(name);
    int r = stage_parent(s, name);
    if (r < 0)
        return r;
    if (fstatat(from, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -ESTALE;
    if (unlinkat(s->parent, base, 0) < 0 && errno != ENOENT)
        return -errno;
    bool ours =
        s->uid[kind] == (uid_t)-1 ||
        (st.st_uid == s->uid[kind] && (s->gid[kind] == (gid_t)-1 || st.st_gid == s->gid[kind]));
    r = !ours ? -EPERM : linkat(from, base, s->parent, base, 0) < 0 ? -errno : 0;
    return cannot_link(r) ? reuse_copy(s, kind, base, from, &st) : r;
}

static int open_parent(int fd, const char *path)
{
    autofree char *up = strdup(path);
    if (!up)
        return -ENOMEM;
    path_up(up);
    return io_open_beneath(fd, up, O_RDONLY | O_DIRECTORY);
}

int stage_reuse(struct stage *s, const char *name, const int from[TARGETS], struct err *e)
{
    const char *path;
    enum target_kind kind = target_kind_of(name, &path);
    autoclose int dir = from[kind] < 0 ? -ENOENT : open_parent(from[kind], path);
    int r = dir < 0 ? dir : reuse_file(s, name, kind, dir);
    return r < 0 ? err_sys(e, r, "staging %s", name) : 0;
}

static bool is_staged(const void *ctx, const char *path, const struct statx *st)
{
    char whole[PATH_MAX];
    int n = snprintf(whole, sizeof(whole), "%s%s%s", (const char *)ctx, *path ? "/" : "", path);
    return n < (int)sizeof(whole) && written_by_influxd(whole, st->stx_mode);
}

/* What was noted of this folder, and of folders in it, is void. */
static void void_notes(struct stage *s, const char *name)
{
    for (size_t i = 0; i < s->nfolders; i++)
        if (path_below(s->folders[i].name, name))
            s->folders[i].note = FOLDER_REMOVED;
}

int stage_remove(struct stage *s, const char *name, struct err *e)
{
    const char *path;
    enum target_kind kind = target_kind_of(name, &path);
    autoclose int dir = open_parent(s->fds[kind], path);
    if (dir == -ENOENT || !*path)
        return 0;
    if (s->parent >= 0 && path_below(s->parent_name, name)) {
        cleanup_close(&s->parent);
        s->parent = -1;
    }
    const struct rmtree_of staged = {is_staged, name};
    int r = dir < 0 ? dir : rmtree(dir, path_last(path), &staged, NULL, e);
    if (r == 0)
        void_notes(s, name);
    /* 1: something in it is somebody's own, and goes where the store goes. */
    return r < 0 ? err_sys(e, r, "staging: %s cannot be removed", name) : 0;
}

/* Whatever its mode, it can be worked in until the end. */
static int stage_adopt_folder(struct stage *s, int fd, const char *name)
{
    struct stat st;
    cleanup(dir_free) struct dir list = {0};
    if (fstat(fd, &st) < 0 || fchmod(fd, st.st_mode | 0700) < 0)
        return -errno;
    int r = stage_note(s, FOLDER_GIVEN, name, st.st_mode & 0777, time_from_spec(&st.st_mtim));
    if (r == 0)
        r = dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        if (dir_type(&list, i) != DT_DIR && dir_type(&list, i) != DT_UNKNOWN)
            continue;
        autoclose int below =
            openat(fd, list.names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        autofree char *path = NULL;
        if (below < 0 && errno == ENOTDIR)
            continue;
        if (below < 0)
            return -errno;
        r = asprintf(&path, "%s/%s", name, list.names[i]) < 0 ? -ENOMEM
                                                              : stage_adopt_folder(s, below, path);
    }
    return r;
}

int stage_adopt(struct stage *s, struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        const char *name = target_kind_name((enum target_kind)i);
        int r = stage_adopt_folder(s, s->fds[i], name);
        if (r < 0)
            return err_sys(e, r, "staging %s", name);
    }
    return 0;
}
