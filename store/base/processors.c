/* SPDX-License-Identifier: MIT */
#include "store/base/processors.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* The text of a small file that the kernel makes; "": there is none. */
static void processors_read(const char *path, char *text, size_t n)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? 0 : read(fd, text, n - 1);
    text[got > 0 ? got : 0] = 0;
}

/* The quota of the process's own cgroup; UINT_MAX: none. One of a group above it is not looked for:
 * whoever counts too many threads loses no more than their turns. */
static unsigned processors_quota(void)
{
    char groups[4096], path[PATH_MAX], text[64];
    unsigned long long quota, period;
    processors_read("/proc/self/cgroup", groups, sizeof(groups));
    const char *own = strncmp(groups, "0::/", 4) == 0 ? groups : strstr(groups, "\n0::/");
    if (!own)
        return UINT_MAX;
    own = strchr(own, '/');
    snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/cpu.max", (int)strcspn(own, "\n"), own);
    processors_read(path, text, sizeof(text));
    if (sscanf(text, "%llu %llu", &quota, &period) != 2 || quota == 0 || period == 0)
        return UINT_MAX;
    const unsigned long long n = (quota + period - 1) / period;
    return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

unsigned processors_allowed(void)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = online > 0 ? (unsigned)online : 1;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && (unsigned)CPU_COUNT(&set) < n)
        n = (unsigned)CPU_COUNT(&set);
    const unsigned quota = processors_quota();
    return n < quota ? n : quota;
}

int processors_spare(void)
{
    char text[128];
    int running;
    processors_read("/proc/loadavg", text, sizeof(text));
    if (sscanf(text, "%*s %*s %*s %d/", &running) != 1)
        return 0;
    return (int)sysconf(_SC_NPROCESSORS_ONLN) - running;
}
