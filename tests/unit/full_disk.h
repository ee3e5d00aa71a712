/* SPDX-License-Identifier: MIT */
/* A disk that becomes full: for one test program, which reads and writes files through it. */
#ifndef INFLUXFS_TESTS_UNIT_FULL_DISK_H
#define INFLUXFS_TESTS_UNIT_FULL_DISK_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Uses of files; from the one of this number on all fail, unless it is 0. */
static atomic_size_t uses, fails_from;

static inline bool use_fails(void)
{
    const bool fails = ++uses >= fails_from && fails_from > 0;
    if (fails)
        errno = ENOSPC;
    return fails;
}

/* Stand-ins for those of the library. */
ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
    return use_fails() ? -1 : syscall(SYS_pwrite64, fd, buf, n, off);
}

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
    return use_fails() ? -1 : syscall(SYS_pread64, fd, buf, n, off);
}

#endif
