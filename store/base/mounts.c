/* SPDX-License-Identifier: MIT */
#include "store/base/mounts.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Since Linux 5.8; older headers lack it. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

#define WANTED (STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_BLOCKS | STATX_MNT_ID)

int mount_place_of(int fd, struct mount_place *out)
{
    return statx(fd, "", AT_EMPTY_PATH, WANTED, &out->st) < 0 ? -errno : 0;
}

int mount_stat(int dirfd, const char *name, struct statx *out)
{
    int r = statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, WANTED, out);
    return r < 0 ? -errno : 0;
}

/* Files of an overlay have the devices of its layers: only that of a folder means something. */
bool mount_is_other(const struct mount_place *here, const struct statx *st)
{
    if (st->stx_attributes & st->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
        return true;
    if ((st->stx_mask & here->st.stx_mask & STATX_MNT_ID) && st->stx_mnt_id != here->st.stx_mnt_id)
        return true;
    return S_ISDIR(st->stx_mode) && (st->stx_dev_major != here->st.stx_dev_major ||
                                     st->stx_dev_minor != here->st.stx_dev_minor);
}

/* Without openat2(2), the opened folder is checked all the same. */
static int mounts_open(int dirfd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd =
        io_openat2(dirfd, name, flags, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
    if (fd == -ENOSYS && (fd = openat(dirfd, name, flags)) < 0)
        return -errno;
    return fd;
}

int mount_open_folder(const struct mount_place *here, int dirfd, const char *name)
{
    struct mount_place there;
    autoclose int fd = mounts_open(dirfd, name);
    if (fd < 0)
        return fd;
    int r = mount_place_of(fd, &there);
    if (r < 0)
        return r;
    return mount_is_other(here, &there.st) ? -EXDEV : steal_fd(&fd);
}

static int found(const char *path, char **out)
{
    *out = strdup(path);
    return *out ? 1 : -ENOMEM;
}

static int mounts_walk_entries(const struct mount_place *here, int fd, const char *path,
                               char **out);

static int mounts_walk_entry(const struct mount_place *here, int dirfd, const char *name,
                             const char *path, char **out)
{
    struct statx st;
    int r = mount_stat(dirfd, name, &st);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (mount_is_other(here, &st))
        return found(path, out);
    if (!S_ISDIR(st.stx_mode))
        return 0;
    autoclose int fd = mount_open_folder(here, dirfd, name);
    if (fd == -EXDEV)
        return found(path, out);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    return mounts_walk_entries(here, fd, path, out);
}

static int mounts_walk_entries(const struct mount_place *here, int fd, const char *path, char **out)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        autofree char *below = path_join(path, list.names[i]);
        if (!below)
            return -ENOMEM;
        r = mounts_walk_entry(here, fd, list.names[i], below, out);
    }
    return r;
}

int mounts_walk(int dirfd, const char *name, char **out)
{
    struct mount_place here;
    int r = mount_place_of(dirfd, &here);
    if (r < 0)
        return r;
    return name ? mounts_walk_entry(&here, dirfd, name, name, out)
                : mounts_walk_entries(&here, dirfd, "", out);
}

/* Spaces, newlines, backslashes and others appear there as \ooo. */
static void mounts_unescape(char *s)
{
    char *to = s;
    for (const char *p = s; *p;) {
        if (p[0] == '\\' && strspn(p + 1, "01234567") >= 3) {
            *to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else {
            *to++ = *p++;
        }
    }
    *to = 0;
}

/* Another mount may cover this one, or a folder above it; then it is unreachable. */
static bool is_reachable(const char *point, uint64_t id)
{
    struct statx st;
    if (statx(AT_FDCWD, point, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
              STATX_MNT_ID, &st) < 0)
        return errno != ENOENT && errno != ENOTDIR;
    return !(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id == id;
}

static int mounts_look_up(FILE *table, const char *path, bool itself, char **out)
{
    autofree char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, table) >= 0) {
        unsigned long long id;
        int at = 0;
        if (sscanf(line, "%llu %*u %*u:%*u %*s %n", &id, &at) != 1 || !at)
            return -EIO;
        char *point = line + at;
        point[strcspn(point, " \n")] = 0;
        mounts_unescape(point);
        const char *below = path_below(point, path);
        if (below && (itself || *below) && is_reachable(point, id))
            return found(point, out);
    }
    return ferror(table) ? -EIO : 0;
}

static int mounts_walk_path(const char *path, bool itself, char **out)
{
    autofree char *up = strdup(path), *rest = NULL;
    if (!up)
        return -ENOMEM;
    if (itself)
        path_up(up);
    autoclose int fd = open(up, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = mounts_walk(fd, itself ? path_last(path) : NULL, &rest);
    if (r == 1 && !(*out = path_join(up, rest)))
        return -ENOMEM;
    return r;
}

int mounts_below(const char *path, bool itself, char **out)
{
    FILE *table = fopen("/proc/thread-self/mountinfo", "re");
    if (!table)
        return mounts_walk_path(path, itself, out);
    int r = mounts_look_up(table, path, itself, out);
    fclose(table);
    return r;
}

bool mount_type_at(const char *path, char type[MOUNT_TYPE])
{
    struct mntent m;
    char buf[8192];
    bool any = false;
    FILE *f = setmntent("/proc/self/mounts", "re");
    if (!f)
        return false;
    while (getmntent_r(f, &m, buf, sizeof(buf))) {
        if (strcmp(m.mnt_dir, path) != 0)
            continue;
        snprintf(type, MOUNT_TYPE, "%s", m.mnt_type);
        any = true;
    }
    endmntent(f);
    return any;
}
