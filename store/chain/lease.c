/* SPDX-License-Identifier: MIT */
#include "store/chain/lease.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define POLL_US 50000

static int open_file(int cuts_fd, const char *name)
{
    int fd = openat(cuts_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

int lease_lock(int cuts_fd, bool (*interrupted)(void *ctx), void *ctx, struct err *e)
{
    autoclose int fd = open_file(cuts_fd, "lock");
    if (fd < 0)
        return err_sys(e, fd, "cuts/lock");
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(e, -errno, "cuts/lock");
        if (interrupted && interrupted(ctx))
            return err_set(e, -EINTR, "interrupted while another process cuts or folds");
        usleep(POLL_US);
    }
    return steal_fd(&fd);
}

static int lease_open(int cuts_fd, uint64_t serial, int how)
{
    char name[64];
    snprintf(name, sizeof(name), "leases/%" PRIu64, serial);
    for (;;) {
        struct stat st = {0};
        autoclose int fd = open_file(cuts_fd, name);
        if (fd < 0)
            return fd;
        int r;
        do
            r = flock(fd, how) < 0 ? -errno : 0;
        while (r == -EINTR);
        if (r == 0 && fstat(fd, &st) < 0)
            r = -errno;
        if (r < 0)
            return r == -EWOULDBLOCK ? -EBUSY : r;
        if (st.st_nlink > 0)
            return steal_fd(&fd);
        /* It was removed with its cut during the wait. */
    }
}

int lease_take(int cuts_fd, uint64_t serial, struct err *e)
{
    int fd = lease_open(cuts_fd, serial, LOCK_SH);
    return fd < 0 ? err_sys(e, fd, "cuts/leases/%" PRIu64, serial) : fd;
}

int lease_close_off(int cuts_fd, uint64_t serial)
{
    return lease_open(cuts_fd, serial, LOCK_EX | LOCK_NB);
}

void lease_remove(int cuts_fd, uint64_t serial)
{
    char name[64];
    snprintf(name, sizeof(name), "leases/%" PRIu64, serial);
    unlinkat(cuts_fd, name, 0);
}
