/* SPDX-License-Identifier: MIT */
#include "fs/caller.h"

#include "store/base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* /proc files come in one read. */
static bool read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
    if (n <= 0)
        return false;
    buf[n] = 0;
    return true;
}

static unsigned long long start_of(pid_t pid)
{
    char buf[1024];
    unsigned long long start = 0;
    if (!read_proc(pid, "stat", buf, sizeof(buf)))
        return 0;
    /* The name may hold anything: fields are counted from its closing bracket. */
    const char *p = strrchr(buf, ')');
    if (!p || sscanf(p + 1,
                     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                     "%*d %llu",
                     &start) != 1)
        return 0;
    return start;
}

struct caller caller_of(pid_t tid)
{
    char buf[4096];
    int pid = 0;
    const char *p =
        tid && read_proc(tid, "status", buf, sizeof(buf)) ? strstr(buf, "\nTgid:") : NULL;
    if (!p || sscanf(p, "\nTgid: %d", &pid) != 1)
        return (struct caller){0, 0};
    return (struct caller){pid, start_of(pid)};
}

bool caller_same(const struct caller *a, const struct caller *b)
{
    return a->pid == b->pid && a->start == b->start;
}

bool caller_alive(const struct caller *c)
{
    return c->pid == 0 || start_of(c->pid) == c->start;
}

static bool leads_into(int proc, const char *pid, const char *link, const char *folder)
{
    char name[NAME_MAX + 8], target[PATH_MAX];
    size_t len = strlen(folder);
    snprintf(name, sizeof(name), "%s/%s", pid, link);
    ssize_t n = readlinkat(proc, name, target, sizeof(target) - 1);
    if (n < (ssize_t)len)
        return false;
    target[n] = 0;
    const char *rest = target + len;
    /* What the kernel appends where a folder stands at its name no more. */
    return memcmp(target, folder, len) == 0 &&
           (*rest == 0 || *rest == '/' || strcmp(rest, " (deleted)") == 0);
}

bool caller_works_in(const char *folder)
{
    autoclosedir DIR *proc = opendir("/proc");
    const struct dirent *d;
    bool found = false;
    while (proc && !found && (d = readdir(proc)))
        found = isdigit((unsigned char)*d->d_name) &&
                (leads_into(dirfd(proc), d->d_name, "cwd", folder) ||
                 leads_into(dirfd(proc), d->d_name, "root", folder));
    return found;
}
