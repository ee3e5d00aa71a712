/* SPDX-License-Identifier: MIT */
#include "store/snapshot/folder_seen.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

/* Not in linux/magic.h: by their own sources. */
#define JFS_MAGIC 0x3153464a
#define ZFS_MAGIC 0x2fc12fc1
#define BCACHEFS_MAGIC 0xca451a4e

/* Folder times come from the kernel's clock tick, and some file systems keep only whole seconds: a
 * second change within the same tick leaves them equal. So a folder changed this shortly before the
 * look is not trusted. */
#define TICK_NS (20 * MILLISECOND_NS)
#define COARSE_NS (2100 * MILLISECOND_NS)

bool folder_vanished(int r)
{
    return r == -ENOENT || r == -ENOTDIR;
}

/* All checks use the opened folder: a link that is changed meanwhile leads to another folder, which
 * lacks the held files. */
int folder_open_by(int root, const char *path, enum folder_follow follow, int flags)
{
    flags |= O_DIRECTORY | O_CLOEXEC;
    if (follow == FOLLOW_NONE)
        return io_open_beneath(root, path, flags);
    const char *slash = follow == FOLLOW_LAST ? strrchr(path, '/') : NULL;
    if (!slash) {
        int fd = openat(root, *path ? path : ".", flags);
        return fd < 0 ? -errno : fd;
    }
    char dir[PATH_MAX];
    if ((size_t)(slash - path) >= sizeof(dir))
        return -ENAMETOOLONG;
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = 0;
    autoclose int parent = io_open_beneath(root, dir, O_PATH | O_DIRECTORY);
    int fd = parent < 0 ? parent : openat(parent, slash + 1, flags);
    return fd < 0 && parent >= 0 ? -errno : fd;
}

static long file_system_of(int fd)
{
    struct statfs s;
    return fstatfs(fd, &s) < 0 ? 0 : s.f_type;
}

static bool is_local(long file_system)
{
    static const long local[] = {
        EXT4_SUPER_MAGIC, /* and ext2, ext3 */
        XFS_SUPER_MAGIC,   BTRFS_SUPER_MAGIC,    F2FS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC,
        NILFS_SUPER_MAGIC, REISERFS_SUPER_MAGIC, JFS_MAGIC,        ZFS_MAGIC,   BCACHEFS_MAGIC};
    for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
        if (local[i] == file_system)
            return true;
    return false;
}

bool folder_is_local(int fd)
{
    return is_local(file_system_of(fd));
}

int folder_open(int root, const char *path, enum folder_follow follow, struct folder_seen *out)
{
    int64_t seen = time_wall_ns();
    int fd = folder_open_by(root, path, follow, O_RDONLY);
    if (fd < 0)
        return fd;
    int r = io_stat_fresh(fd, "", &out->st);
    if (r < 0) {
        close(fd);
        return r;
    }
    const long file_system = file_system_of(fd);
    /* The folders of an overlay have the times of a layer, which are as good as that layer's. */
    out->is_remote = !is_local(file_system) && file_system != OVERLAYFS_SUPER_MAGIC;
    out->seen_ns = seen;
    out->follow = follow;
    return fd;
}

static int folder_stat(int root, const char *path, enum folder_follow follow, struct stat *st)
{
    /* Whatever leads to it: another folder has another inode. */
    if (follow == FOLLOW_NONE)
        return io_stat_fresh(root, path, st);
    autoclose int fd = folder_open_by(root, path, follow, O_PATH);
    return fd < 0 ? fd : io_stat_fresh(fd, "", st);
}

bool folder_same(int root, const char *path, const struct folder_seen *f)
{
    return !f->is_remote && folder_same_times(root, path, f);
}

bool folder_same_times(int root, const char *path, const struct folder_seen *f)
{
    struct stat st;
    int64_t mtime = time_from_spec(&f->st.st_mtim);
    /* A future time is as good as a past one: a change would replace it. */
    int64_t age = f->seen_ns > mtime ? f->seen_ns - mtime : mtime - f->seen_ns;
    if (age < (mtime % SECOND_NS ? TICK_NS : COARSE_NS))
        return false;
    return folder_stat(root, path, f->follow, &st) == 0 && st.st_ino == f->st.st_ino &&
           st.st_dev == f->st.st_dev && time_from_spec(&st.st_mtim) == mtime &&
           time_from_spec(&st.st_ctim) == time_from_spec(&f->st.st_ctim) &&
           st.st_mode == f->st.st_mode && st.st_uid == f->st.st_uid && st.st_gid == f->st.st_gid;
}

int place_look(int root, const char *path, enum place_kind *kind, size_t *len)
{
    char part[PATH_MAX];
    *kind = PLACE_FOLDER;
    for (const char *end = path; *kind == PLACE_FOLDER && *end;) {
        struct stat st;
        end += *end == '/';
        end += strcspn(end, "/");
        *len = (size_t)(end - path);
        if (*len >= sizeof(part))
            return -ENAMETOOLONG;
        memcpy(part, path, *len);
        part[*len] = 0;
        /* All components before this one were folders a moment ago. */
        if (fstatat(root, part, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT && errno != ENOTDIR)
                return -errno;
            *kind = PLACE_NOTHING;
        } else if (S_ISLNK(st.st_mode)) {
            *kind = PLACE_LINK;
        } else if (!S_ISDIR(st.st_mode)) {
            *kind = PLACE_OTHER;
        }
    }
    return 0;
}

char *place_link(int root, const char *path)
{
    enum place_kind kind;
    size_t len = 0;
    char part[PATH_MAX], target[PATH_MAX];
    if (place_look(root, path, &kind, &len) < 0 || kind != PLACE_LINK)
        return NULL;
    memcpy(part, path, len);
    part[len] = 0;
    ssize_t n = readlinkat(root, part, target, sizeof(target) - 1);
    if (n < 0)
        return NULL;
    target[n] = 0;
    for (ssize_t i = 0; i < n; i++)
        if ((unsigned char)target[i] < ' ' || target[i] == 0x7f)
            target[i] = '?';
    return strdup(target);
}
