/* SPDX-License-Identifier: MIT */
#include "fs/daemon.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Enough for influxd to keep its rate; more would starve look-ups on a busy machine. */
#define GIVE_WAY 10

static bool gives_way;

/* With autogroup (the kernel's default) nice values count within a session, which has its own. */
static void give_way_as_session(void)
{
    if (getsid(0) != getpid())
        return;
    autoclose int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    /* Not an error if it fails: then the nice value alone counts. */
    if (fd >= 0 && dprintf(fd, "%d", GIVE_WAY) < 0)
        errno = 0;
}

void detach_give_way(bool background)
{
    gives_way = true;
    if (background || getsid(0) == getpid())
        setpriority(PRIO_PROCESS, 0, GIVE_WAY);
    give_way_as_session();
}

int detach_start(void)
{
    int pipe_fds[2];
    pid_t parent = getpid();
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid > 0) {
        char verdict;
        ssize_t n;
        close(pipe_fds[1]);
        do
            n = read(pipe_fds[0], &verdict, 1);
        while (n < 0 && errno == EINTR);
        _exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(pipe_fds[0]);
    /* Whoever interrupts the parent wants no mount. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    return pipe_fds[1];
}

void detach_ready(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= 2 && null >= 0; i++)
        dup2(null, i);
    if (null > 2)
        close(null);
    setsid();
    if (gives_way)
        give_way_as_session();
    prctl(PR_SET_PDEATHSIG, 0);
    /* The parent may be gone by now; the mount stands all the same. */
    if (write(fd, "", 1) < 0)
        errno = 0;
    close(fd);
}
