/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD: a process that is killed right after the Nth of its system calls that change the
 * disk.
 *
 *   KILL_ROOT   only calls on paths and descriptors below this folder count (links resolved)
 *   KILL_AT     after this many of them: SIGKILL
 *   KILL_COUNT  file that gets the total, if the process ends by itself
 */
#undef _FILE_OFFSET_BITS /* open and open64 are two symbols here */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static bool below(const char *path)
{
    const char *root = getenv("KILL_ROOT");
    size_t n = root ? strlen(root) : 0;
    return n && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static bool fd_counts(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return false;
    path[n] = 0;
    return below(path);
}

static bool path_counts(int dirfd, const char *path)
{
    if (path[0] == '/')
        return below(path);
    if (dirfd != AT_FDCWD)
        return fd_counts(dirfd);
    char cwd[PATH_MAX];
    return getcwd(cwd, sizeof(cwd)) && below(cwd);
}

static void count(bool counts)
{
    const char *at = getenv("KILL_AT");
    if (counts && atomic_fetch_add(&calls, 1) + 1 == (at ? atol(at) : 0))
        raise(SIGKILL);
}

static __attribute__((destructor)) void tell(void)
{
    const char *file = getenv("KILL_COUNT");
    FILE *f = file ? fopen(file, "we") : NULL;
    if (f) {
        fprintf(f, "%ld\n", atomic_load(&calls));
        fclose(f);
    }
}

/* A wrapper: the real call, then the count. */
#define NEXT(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

#define CALL(type, name, counts, params, args, ...)                                                \
    type name params;                                                                              \
    type name params                                                                               \
    {                                                                                              \
        NEXT(type, name, __VA_ARGS__);                                                             \
        type r = real args;                                                                        \
        count(counts);                                                                             \
        return r;                                                                                  \
    }

CALL(ssize_t, write, fd_counts(fd), (int fd, const void *b, size_t n), (fd, b, n), int,
     const void *, size_t)
CALL(ssize_t, pwrite64, fd_counts(fd), (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o),
     int, const void *, size_t, off64_t)
CALL(int, renameat, path_counts(d, p), (int d, const char *p, int e, const char *q), (d, p, e, q),
     int, const char *, int, const char *)
CALL(int, rename, path_counts(AT_FDCWD, p), (const char *p, const char *q), (p, q), const char *,
     const char *)
CALL(int, renameat2, path_counts(d, p), (int d, const char *p, int e, const char *q, unsigned f),
     (d, p, e, q, f), int, const char *, int, const char *, unsigned)
CALL(int, unlink, path_counts(AT_FDCWD, p), (const char *p), (p), const char *)
CALL(int, unlinkat, path_counts(d, p), (int d, const char *p, int f), (d, p, f), int, const char *,
     int)
CALL(int, rmdir, path_counts(AT_FDCWD, p), (const char *p), (p), const char *)
CALL(int, mkdir, path_counts(AT_FDCWD, p), (const char *p, mode_t m), (p, m), const char *, mode_t)
CALL(int, mkdirat, path_counts(d, p), (int d, const char *p, mode_t m), (d, p, m), int,
     const char *, mode_t)
CALL(int, ftruncate64, fd_counts(fd), (int fd, off64_t n), (fd, n), int, off64_t)
CALL(int, fsync, fd_counts(fd), (int fd), (fd), int)
CALL(int, fdatasync, fd_counts(fd), (int fd), (fd), int)
CALL(int, syncfs, fd_counts(fd), (int fd), (fd), int)
CALL(int, fchmod, fd_counts(fd), (int fd, mode_t m), (fd, m), int, mode_t)
CALL(int, fchmodat, path_counts(d, p), (int d, const char *p, mode_t m, int f), (d, p, m, f), int,
     const char *, mode_t, int)
CALL(int, fchown, fd_counts(fd), (int fd, uid_t u, gid_t g), (fd, u, g), int, uid_t, gid_t)
CALL(int, lchown, path_counts(AT_FDCWD, p), (const char *p, uid_t u, gid_t g), (p, u, g),
     const char *, uid_t, gid_t)
CALL(int, fchownat, path_counts(d, p), (int d, const char *p, uid_t u, gid_t g, int f),
     (d, p, u, g, f), int, const char *, uid_t, gid_t, int)
CALL(int, futimens, fd_counts(fd), (int fd, const struct timespec t[2]), (fd, t), int,
     const struct timespec *)
CALL(int, utimensat, path_counts(d, p), (int d, const char *p, const struct timespec t[2], int f),
     (d, p, t, f), int, const char *, const struct timespec *, int)
CALL(int, link, path_counts(AT_FDCWD, q), (const char *p, const char *q), (p, q), const char *,
     const char *)
CALL(int, linkat, path_counts(e, q), (int d, const char *p, int e, const char *q, int f),
     (d, p, e, q, f), int, const char *, int, const char *, int)
CALL(int, symlinkat, path_counts(d, q), (const char *p, int d, const char *q), (p, d, q),
     const char *, int, const char *)
CALL(int, sync_file_range, fd_counts(fd), (int fd, off64_t o, off64_t n, unsigned f), (fd, o, n, f),
     int, off64_t, off64_t, unsigned)
CALL(int, fallocate64, fd_counts(fd), (int fd, int m, off64_t o, off64_t n), (fd, m, o, n), int,
     int, off64_t, off64_t)

/* open, in its forms: only those that make or empty a file change anything. */
#define OPEN(name, dir, at, ...)                                                                   \
    int name(at const char *p, int flags, ...);                                                    \
    int name(at const char *p, int flags, ...)                                                     \
    {                                                                                              \
        NEXT(int, name, at const char *, int, ...);                                                \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;                      \
        va_end(ap);                                                                                \
        int r = real(__VA_ARGS__ p, flags, mode);                                                  \
        count((flags & (O_CREAT | O_TRUNC)) && path_counts(dir, p));                               \
        return r;                                                                                  \
    }
#define NOTHING
#define DIRFD int d,
#define PASS d,
OPEN(open, AT_FDCWD, NOTHING, NOTHING)
OPEN(open64, AT_FDCWD, NOTHING, NOTHING)
OPEN(openat, d, DIRFD, PASS)
OPEN(openat64, d, DIRFD, PASS)
