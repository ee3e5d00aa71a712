/* SPDX-License-Identifier: MIT */
/* Files and folders that are staged by taking them over from other folders. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/rmtree.h"
#include "store/influx/written.h"
#include "store/restore/stage_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES (1 << 20)

static int copy_bytes(int from, int to)
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

static int copy(const struct stage *s, enum target_kind kind, const char *base, int from,
                const struct stat *st)
{
    autoclose int in = openat(from, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int out = in < 0 ? -1
                               : openat(s->parent, base,
                                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return -errno;
    int r = copy_bytes(in, out);
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

static int link_from(struct stage *s, const char *name, int from)
{
    struct stat st;
    const char *rest, *base = strrchr(name, '/') + 1;
    enum target_kind kind = stage_locate(name, &rest);
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
    return cannot_link(r) ? copy(s, kind, base, from, &st) : r;
}

int stage_link(struct stage *s, const char *name, const int from[TARGETS], struct err *e)
{
    const char *rest;
    enum target_kind kind = stage_locate(name, &rest);
    autofree char *up = strdup(rest);
    if (!up)
        return err_sys(e, -ENOMEM, "staging %s", name);
    char *slash = strrchr(up, '/');
    *(slash ? slash : up) = 0;
    autoclose int dir =
        from[kind] < 0 ? -ENOENT : io_open_beneath(from[kind], up, O_RDONLY | O_DIRECTORY);
    int r = dir < 0 ? dir : link_from(s, name, dir);
    return r < 0 ? err_sys(e, r, "staging %s", name) : 0;
}

static bool is_staged(const void *ctx, const char *path, const struct statx *st)
{
    char whole[PATH_MAX];
    int n = snprintf(whole, sizeof(whole), "%s%s%s", (const char *)ctx, *path ? "/" : "", path);
    return n < (int)sizeof(whole) && written_by_influxd(whole, st->stx_mode);
}

int stage_remove(struct stage *s, const char *name, struct err *e)
{
    const char *rest;
    enum target_kind kind = stage_locate(name, &rest);
    autofree char *up = strdup(rest);
    if (!up)
        return err_sys(e, -ENOMEM, "staging %s", name);
    char *slash = strrchr(up, '/');
    *(slash ? slash : up) = 0;
    autoclose int dir = io_open_beneath(s->fds[kind], up, O_RDONLY | O_DIRECTORY);
    if (dir == -ENOENT || !*rest)
        return 0;
    size_t n = strlen(name);
    if (s->parent >= 0 && strncmp(s->parent_name, name, n) == 0 &&
        (s->parent_name[n] == '/' || !s->parent_name[n])) {
        cleanup_close(&s->parent);
        s->parent = -1;
    }
    const char *base = slash ? slash + 1 : rest;
    int r = dir < 0 ? dir : rmtree(dir, base, &(struct rmtree_of){is_staged, name}, NULL, e);
    if (r == 1)
        return 0; /* somebody's own: it goes where the store goes */
    /* What was said of it, and of folders in it, is void. */
    for (size_t i = 0, was = s->nfolders; r == 0 && i < was; i++)
        if (strncmp(s->folders[i].name, name, n) == 0 &&
            (s->folders[i].name[n] == '/' || !s->folders[i].name[n]))
            s->folders[i].word = GONE;
    return r < 0 ? err_sys(e, r, "staging: %s cannot be taken out", name) : 0;
}

/* Whatever its mode, it can be worked in until the end. */
static int adopt(struct stage *s, int fd, const char *name)
{
    struct stat st;
    cleanup(dir_free) struct dir list = {0};
    if (fstat(fd, &st) < 0 || fchmod(fd, st.st_mode | 0700) < 0)
        return -errno;
    int r = stage_remember(s, SAID, name, st.st_mode & 0777, io_ts_ns(&st.st_mtim));
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
        r = asprintf(&path, "%s/%s", name, list.names[i]) < 0 ? -ENOMEM : adopt(s, below, path);
    }
    return r;
}

int stage_adopt(struct stage *s, struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        const char *name = target_kind_name((enum target_kind)i);
        int r = adopt(s, s->fds[i], name);
        if (r < 0)
            return err_sys(e, r, "staging %s", name);
    }
    return 0;
}
