/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD: a process whose disk is slow, while a file is there that says so.
 *
 *   SLOW_ROOT    calls on paths and descriptors below this folder are slow (links resolved)
 *   SLOW_SWITCH  the file; it holds how many milliseconds a call takes longer. Calls that wait go on
 *                soon after it is gone.
 */
#undef _FILE_OFFSET_BITS /* pread and pread64 are two symbols here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS 20

static bool below(const char *path)
{
    const char *root = getenv("SLOW_ROOT");
    size_t n = root ? strlen(root) : 0;
    return n && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static bool is_below(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return false;
    path[n] = 0;
    return below(path);
}

static long milliseconds(void)
{
    const char *name = getenv("SLOW_SWITCH");
    FILE *f = name ? fopen(name, "re") : NULL;
    long ms = 0;
    if (!f)
        return 0;
    if (fscanf(f, "%ld", &ms) != 1)
        ms = 0;
    fclose(f);
    return ms;
}

static void delay(bool counts)
{
    const int before = errno;
    const struct timespec slice = {0, SLICE_MS * 1000000};
    for (long waited = 0; counts && waited < milliseconds(); waited += SLICE_MS)
        nanosleep(&slice, NULL);
    errno = before;
}

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

#define SLOW_ON_FD(type, name, params, args)                                                       \
    type name params                                                                               \
    {                                                                                              \
        delay(is_below(fd));                                                                       \
        return NEXT(name) args;                                                                    \
    }

SLOW_ON_FD(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
SLOW_ON_FD(ssize_t, pread, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at))
SLOW_ON_FD(ssize_t, pread64, (int fd, void *buf, size_t n, off64_t at), (fd, buf, n, at))
SLOW_ON_FD(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
SLOW_ON_FD(int, fsync, (int fd), (fd))
SLOW_ON_FD(int, fdatasync, (int fd), (fd))
SLOW_ON_FD(int, syncfs, (int fd), (fd))

int renameat(int from, const char *name, int to, const char *to_name)
{
    delay(from == AT_FDCWD ? below(name) : is_below(from));
    return NEXT(renameat)(from, name, to, to_name);
}

int statvfs(const char *restrict path, struct statvfs *restrict out)
{
    delay(below(path));
    return NEXT(statvfs)(path, out);
}

int statvfs64(const char *restrict path, struct statvfs64 *restrict out)
{
    delay(below(path));
    return NEXT(statvfs64)(path, out);
}
