/* SPDX-License-Identifier: MIT */
#include "store/base/io.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

int io_pread_all(int fd, void *buf, size_t n, uint64_t off)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = pread(fd, (char *)buf + done, n - done, (off_t)(off + done));
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r == 0)
            return -ENODATA;
        if (r > 0)
            done += (size_t)r;
    }
    return 0;
}

/* At off; -1: at the descriptor's position. */
static int write_all(int fd, const char *p, size_t n, off_t off)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = off < 0 ? write(fd, p + done, n - done)
                            : pwrite(fd, p + done, n - done, off + (off_t)done);
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r > 0)
            done += (size_t)r;
    }
    return 0;
}

/* The kernel takes no more of one advice than it would read ahead by itself, 128 KiB at least. */
#define ADVISED ((size_t)128 << 10)

void io_advise(int fd, size_t n, uint64_t off)
{
    for (size_t done = 0; done < n; done += ADVISED) {
        const size_t part = n - done < ADVISED ? n - done : ADVISED;
        posix_fadvise(fd, (off_t)(off + done), (off_t)part, POSIX_FADV_WILLNEED);
    }
}

int io_write_all(int fd, const void *buf, size_t n)
{
    return write_all(fd, buf, n, -1);
}

int io_pwrite_all(int fd, const void *buf, size_t n, uint64_t off)
{
    return write_all(fd, buf, n, (off_t)off);
}

int io_read_file(int dirfd, const char *path, size_t max, char **buf, size_t *len)
{
    struct stat st;
    autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > max)
        return -EFBIG;
    autofree char *b = malloc((size_t)st.st_size + 1);
    if (!b)
        return -ENOMEM;
    int r = io_pread_all(fd, b, (size_t)st.st_size, 0);
    if (r < 0)
        return r;
    b[st.st_size] = 0;
    *len = (size_t)st.st_size;
    *buf = steal_ptr(&b);
    return 0;
}

int io_close(int *fd)
{
    return close(steal_fd(fd)) < 0 && errno != EINTR ? -errno : 0;
}

int io_sync_dir(int fd)
{
    return fsync(fd) < 0 ? -errno : 0;
}

static int io_write_synced(int dirfd, const char *name, const void *buf, size_t len, mode_t mode)
{
    autoclose int fd =
        openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    int r = io_write_all(fd, buf, len);
    if (r < 0)
        return r;
    if (fsync(fd) < 0)
        return -errno;
    return io_close(&fd);
}

int io_replace_file(int dirfd, const char *name, const void *buf, size_t len, mode_t mode)
{
    char tmp[NAME_MAX + 1];
    if (snprintf(tmp, sizeof(tmp), "%s.tmp", name) >= (int)sizeof(tmp))
        return -ENAMETOOLONG;
    int r = io_write_synced(dirfd, tmp, buf, len, mode);
    if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dirfd, tmp, 0);
        return r;
    }
    return io_sync_dir(dirfd);
}

/* Copies the next component of *p into name and moves *p past it; 0 at the end of the path. */
static int io_next_component(const char **p, char name[NAME_MAX + 1])
{
    size_t n = strcspn(*p, "/");
    if (n == 0 || (n == 1 && (*p)[0] == '.') || (n == 2 && (*p)[0] == '.' && (*p)[1] == '.'))
        return -EINVAL;
    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, *p, n);
    name[n] = 0;
    *p += n;
    if (**p == '/' && *++*p == 0)
        return -EINVAL;
    return 0;
}

/* Opens the folder that holds the last component of rel, and copies that component. */
static int io_open_parent(int dirfd, const char *rel, char name[NAME_MAX + 1])
{
    autoclose int cur = -1;
    int r = io_next_component(&rel, name);
    while (r == 0 && *rel) {
        int next =
            openat(cur < 0 ? dirfd : cur, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return -errno;
        if (cur >= 0)
            close(cur);
        cur = next;
        r = io_next_component(&rel, name);
    }
    if (r < 0)
        return r;
    if (cur < 0 && (cur = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return -errno;
    return steal_fd(&cur);
}

static int open_by_steps(int dirfd, const char *rel, int flags)
{
    char name[NAME_MAX + 1] = ".";
    autoclose int parent = -1;
    if (*rel && (parent = io_open_parent(dirfd, rel, name)) < 0)
        return parent;
    int fd = openat(*rel ? parent : dirfd, name, flags);
    return fd < 0 ? -errno : fd;
}

static int check_components(const char *rel)
{
    char name[NAME_MAX + 1];
    int r = 0;
    while (r == 0 && *rel)
        r = io_next_component(&rel, name);
    return r;
}

/* Where the file system has none, one that loses its name at once. */
int io_open_nameless(int dirfd, const char *folder)
{
    static atomic_uint number;
    const int flags = O_RDWR | O_CLOEXEC;
    char name[64];
    int fd = openat(dirfd, folder, O_TMPFILE | flags, 0600), code = fd < 0 ? -errno : fd;
    if (code != -EOPNOTSUPP && code != -EISDIR)
        return code;
    autoclose int in = openat(dirfd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(name, sizeof(name), ".influxfs-spool.%d-%u", getpid(), atomic_fetch_add(&number, 1));
    fd = in < 0 ? -1 : openat(in, name, O_CREAT | O_EXCL | flags, 0600);
    if (fd < 0)
        return -errno;
    if (unlinkat(in, name, 0) == 0)
        return fd;
    code = -errno;
    close(fd);
    return code;
}

const char *io_temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/var/tmp";
}

int io_open_temporary(void)
{
    return io_open_nameless(AT_FDCWD, io_temporary_folder());
}

int io_openat2(int dirfd, const char *path, int flags, uint64_t resolve)
{
    static atomic_bool missing;
    struct open_how how = {.flags = (uint64_t)flags, .resolve = resolve};
    if (atomic_load(&missing))
        return -ENOSYS;
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
    if (fd >= 0)
        return (int)fd;
    if (errno != ENOSYS && errno != EPERM)
        return -errno;
    atomic_store(&missing, true);
    return -ENOSYS;
}

int io_open_beneath(int dirfd, const char *rel, int flags)
{
    flags |= O_NOFOLLOW | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY);
    int r = check_components(rel);
    if (r == 0)
        r = io_openat2(dirfd, *rel ? rel : ".", flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    return r == -ENOSYS ? open_by_steps(dirfd, rel, flags) : r;
}

int io_stat_beneath(int dirfd, const char *rel, struct stat *st)
{
    autoclose int fd = io_open_beneath(dirfd, rel, O_PATH);
    if (fd < 0)
        return fd;
    return fstat(fd, st) < 0 ? -errno : 0;
}

int io_stat_fresh(int dirfd, const char *path, struct stat *st)
{
    const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    struct statx x;
    if (statx(dirfd, path, flags | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &x) < 0)
        return errno == ENOSYS && fstatat(dirfd, path, st, flags) == 0 ? 0 : -errno;
    *st = (struct stat){.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
                        .st_ino = x.stx_ino,
                        .st_nlink = x.stx_nlink,
                        .st_mode = x.stx_mode,
                        .st_uid = x.stx_uid,
                        .st_gid = x.stx_gid,
                        .st_rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
                        .st_size = (off_t)x.stx_size,
                        .st_blksize = x.stx_blksize,
                        .st_blocks = (blkcnt_t)x.stx_blocks,
                        .st_atim = {x.stx_atime.tv_sec, x.stx_atime.tv_nsec},
                        .st_mtim = {x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec},
                        .st_ctim = {x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec}};
    return 0;
}

int io_mkdir_p(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    char buf[PATH_MAX];
    if (strlen(path) >= sizeof(buf))
        return -ENAMETOOLONG;
    strcpy(buf, path);
    for (char *p = buf + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char c = *p;
        *p = 0;
        if (mkdir(buf, mode) == 0) {
            if (uid != (uid_t)-1 && lchown(buf, uid, gid) < 0)
                return -errno;
        } else if (errno != EEXIST) {
            return -errno;
        }
        if (!c)
            return 0;
        *p = c;
    }
}

void io_guard_stdio(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}
