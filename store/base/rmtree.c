/* SPDX-License-Identifier: MIT */
#include "store/base/rmtree.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ASIDE_MAX 100000

struct removal {
    const struct rmtree_of *of;
    struct mount_place here;
    struct rmtree_sum sum;
    int dirfd;
    const char *name;
    char path[PATH_MAX]; /* of the current entry, below the tree */
    struct err *e;
};

/* The path of dirfd, for messages. */
static void folder_path(int dirfd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
    ssize_t n = dirfd < 0 ? -1 : readlink(link, out, PATH_MAX - 2);
    n = n < 0 ? 0 : n;
    if (n && out[n - 1] != '/')
        out[n++] = '/';
    out[n] = 0;
}

static int mounted(int dirfd, const char *path, struct err *e)
{
    char folder[PATH_MAX];
    folder_path(dirfd, folder);
    return err_set(e, -EBUSY,
                   "%s%s is a mount point, or of another device: it and what lies beside it are "
                   "not removed; unmount it",
                   folder, path);
}

static int failed(const struct removal *r, int code)
{
    char folder[PATH_MAX], path[NAME_MAX + 1 + PATH_MAX];
    snprintf(path, sizeof(path), "%.*s%s%s", NAME_MAX, r->name, *r->path ? "/" : "", r->path);
    if (code == -EXDEV || code == -EBUSY)
        return mounted(r->dirfd, path, r->e);
    folder_path(r->dirfd, folder);
    return err_sys(r->e, code, "%s%s cannot be removed", folder, path);
}

static int rmtree_entry(struct removal *r, int dirfd, const char *name);

static int rmtree_entries(struct removal *r, int fd)
{
    cleanup(dir_free) struct dir list = {0};
    size_t top = strlen(r->path);
    int code = dir_read(fd, &list);
    if (code < 0)
        return failed(r, code);
    for (size_t i = 0; code == 0 && i < list.n; i++) {
        size_t room = sizeof(r->path) - top;
        int n = snprintf(r->path + top, room, "%s%s", top ? "/" : "", list.names[i]);
        if (n < (int)room)
            code = rmtree_entry(r, fd, list.names[i]);
        else
            r->sum.left++; /* too deep to be the caller's */
        r->path[top] = 0;
    }
    return code;
}

static int rmtree_folder(struct removal *r, int dirfd, const char *name)
{
    uint64_t left = r->sum.left;
    autoclose int fd = mount_open_folder(&r->here, dirfd, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : failed(r, fd);
    int code = rmtree_entries(r, fd);
    if (code < 0 || r->sum.left > left)
        return code;
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return failed(r, -errno);
    r->sum.left++; /* put there just now */
    return 0;
}

static int rmtree_entry(struct removal *r, int dirfd, const char *name)
{
    struct statx st;
    int code = mount_stat(dirfd, name, &st);
    if (code < 0)
        return code == -ENOENT ? 0 : failed(r, code);
    if (mount_is_other(&r->here, &st))
        return failed(r, -EXDEV);
    if (!r->of->ours(r->of->ctx, r->path, &st)) {
        r->sum.left++;
        return 0;
    }
    if (S_ISDIR(st.stx_mode))
        return rmtree_folder(r, dirfd, name);
    if (unlinkat(dirfd, name, 0) < 0)
        return errno == ENOENT ? 0 : failed(r, -errno);
    r->sum.files++;
    r->sum.freed += st.stx_nlink == 1 ? st.stx_blocks * 512 : 0;
    return 0;
}

int rmtree(int dirfd, const char *name, const struct rmtree_of *of, struct rmtree_sum *sum,
           struct err *e)
{
    autofree char *point = NULL;
    struct removal r = {.of = of, .dirfd = dirfd, .name = name, .e = e};
    if (sum)
        *sum = (struct rmtree_sum){0};
    autoclose int own = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int code = own < 0 ? -errno : mount_place_of(own, &r.here);
    if (code == 0)
        code = mounts_walk(own, name, &point);
    if (code == 1)
        return mounted(own, point, e);
    r.dirfd = own;
    code = code < 0 ? failed(&r, code) : rmtree_entry(&r, own, name);
    if (sum)
        *sum = r.sum;
    return code < 0 ? code : r.sum.left > 0;
}

/* Some file systems lack RENAME_NOREPLACE; rename can then replace only an empty folder. */
static int rename_new(int dirfd, const char *from, const char *to)
{
    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (faccessat(dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

static int set_aside(int dirfd, const char *name, const char *prefix, char out[NAME_MAX + 1])
{
    int r = -EEXIST;
    for (int i = 1; r == -EEXIST && i <= ASIDE_MAX; i++) {
        if (snprintf(out, NAME_MAX + 1, "%sleft-behind-%d", prefix, i) > NAME_MAX)
            return -ENAMETOOLONG;
        r = rename_new(dirfd, name, out);
    }
    return r;
}

int rmtree_clear(int dirfd, const char *name, const char *prefix, const struct rmtree_of *of,
                 struct err *said, struct err *e)
{
    char folder[PATH_MAX], kept[NAME_MAX + 1];
    said->text[0] = 0;
    int r = rmtree(dirfd, name, of, NULL, e);
    if (r <= 0)
        return r;
    folder_path(dirfd, folder);
    if ((r = set_aside(dirfd, name, prefix, kept)) < 0)
        return err_sys(e, r, "%s%s holds files of another program, and cannot be renamed", folder,
                       name);
    return err_set(said, 0,
                   "left over: %s%s holds what neither influxd nor influxfs has written; it is not "
                   "removed: look at it, and remove it by hand",
                   folder, kept);
}
