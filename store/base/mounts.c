/* SPDX-License-Identifier: MIT */
#include "store/base/mounts.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Since Linux 5.8; older headers lack it. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

#define OWN_TABLE "/proc/thread-self/mountinfo"
#define WANTED                                                                                     \
    (STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_INO | STATX_BLOCKS | STATX_MNT_ID)

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

/* One line of such a table; see proc(5). */
struct mount_row {
    char *line, *point;
    size_t cap;
    uint64_t id, parent;
    unsigned major, minor;
};

static void mount_row_free(struct mount_row *row)
{
    free(row->line);
}

/* 1: a row; 0: the end; -EIO. */
static int mount_row_read(FILE *table, struct mount_row *row)
{
    int at = 0;
    if (getline(&row->line, &row->cap, table) < 0)
        return ferror(table) ? -EIO : 0;
    if (sscanf(row->line, "%" SCNu64 " %" SCNu64 " %u:%u %*s %n", &row->id, &row->parent,
               &row->major, &row->minor, &at) != 4 ||
        !at)
        return -EIO;
    row->point = row->line + at;
    row->point[strcspn(row->point, " \n")] = 0;
    mounts_unescape(row->point);
    return 1;
}

static int mounts_look_up(FILE *table, const char *path, bool itself, char **out)
{
    cleanup(mount_row_free) struct mount_row row = {0};
    int r;
    while ((r = mount_row_read(table, &row)) == 1) {
        const char *below = path_below(row.point, path);
        if (below && (itself || *below) && is_reachable(row.point, row.id))
            return found(row.point, out);
    }
    return r;
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
    FILE *table = fopen(OWN_TABLE, "re");
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

/* A device of this number is mounted there. Or, with a path: the number of what is mounted on top
 * at path. */
static int mounts_find_device(const char *table, const char *path, unsigned device[2])
{
    cleanup(mount_row_free) struct mount_row row = {0};
    bool any = false;
    int r;
    FILE *f = fopen(table, "re");
    if (!f)
        return -errno;
    while ((r = mount_row_read(f, &row)) == 1) {
        if (path && strcmp(row.point, path) == 0) {
            device[0] = row.major;
            device[1] = row.minor;
            any = true;
        } else if (!path && row.major == device[0] && row.minor == device[1]) {
            any = true;
        }
    }
    fclose(f);
    return r < 0 ? r : any;
}

int mounts_seen_in(const char *path, const char *table)
{
    unsigned device[2] = {0};
    int r = mounts_find_device(OWN_TABLE, path, device);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return mounts_find_device(table, NULL, device);
}

int mounts_device_at(const char *path, dev_t *out)
{
    unsigned device[2] = {0};
    int r = mounts_find_device(OWN_TABLE, path, device);
    if (r == 1)
        *out = makedev(device[0], device[1]);
    return r == 0 ? -ENOENT : r < 0 ? r : 0;
}

/* Finds the mount of a device at path; or, with a parent, one upon that mount. */
static int mounts_find_row(const char *path, dev_t device, uint64_t parent, struct mount_row *row)
{
    int r;
    FILE *f = fopen(OWN_TABLE, "re");
    if (!f)
        return -errno;
    while ((r = mount_row_read(f, row)) == 1) {
        if (parent ? row->parent == parent
                   : strcmp(row->point, path) == 0 && makedev(row->major, row->minor) == device)
            break;
    }
    fclose(f);
    return r;
}

int mounts_alone(const char *path, dev_t device, char **other)
{
    cleanup(mount_row_free) struct mount_row own = {0}, upon = {0};
    *other = NULL;
    int r = mounts_find_row(path, device, 0, &own);
    if (r <= 0)
        return r;
    r = mounts_find_row(path, device, own.id, &upon);
    if (r < 0 || (r == 0 && is_reachable(path, own.id)))
        return r < 0 ? r : 1;
    r = found(r == 1 ? upon.point : path, other);
    return r < 0 ? r : 0;
}
