/* SPDX-License-Identifier: MIT */
#include "fs/caller.h"

#include "store/base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

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

enum { STAT_FLAGS = 9, STAT_START = 22, STAT_EXIT_CODE = 52 }; /* counted from 1, as in proc(5) */

/* A number of /proc/PID/stat, or 0. The process name may hold anything, so fields are counted from
 * its closing bracket: the third follows it. */
static unsigned long long stat_field(pid_t pid, int field)
{
    char buf[1024];
    if (!read_proc(pid, "stat", buf, sizeof(buf)))
        return 0;
    const char *p = strrchr(buf, ')');
    for (int i = 2; p && i < field; i++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

struct caller caller_of(pid_t tid)
{
    char buf[4096];
    int pid = 0;
    const char *p =
        tid && read_proc(tid, "status", buf, sizeof(buf)) ? strstr(buf, "\nTgid:") : NULL;
    if (!p || sscanf(p, "\nTgid: %d", &pid) != 1)
        return (struct caller){0, 0};
    return (struct caller){pid, stat_field(pid, STAT_START)};
}

bool caller_same(const struct caller *a, const struct caller *b)
{
    return a->pid == b->pid && a->start == b->start;
}

int caller_watch(const struct caller *c)
{
    const int fd = c->pid ? pidfd_open(c->pid, 0) : -1;
    return fd >= 0 ? fd : c->pid ? -errno : -EINVAL;
}

bool caller_has_ended(int watch)
{
    struct pollfd p = {.fd = watch, .events = POLLIN};
    return watch >= 0 ? poll(&p, 1, 0) == 1 : watch == -ESRCH;
}

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* These ask a program to end; a handler may do so in its own way. */
static const uint64_t asks_to_end =
    BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM) | BIT(SIGKILL);
/* These do nothing, or stop the program, where it has no handler. */
static const uint64_t harmless = BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) |
                                 BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU);

static uint64_t signals_of(const char *status, const char *key)
{
    const char *p = strstr(status, key);
    return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

bool caller_ends(pid_t tid)
{
    char buf[4096];
    if (!tid || !read_proc(tid, "status", buf, sizeof(buf)))
        return true;
    uint64_t pending = signals_of(buf, "\nSigPnd:") | signals_of(buf, "\nShdPnd:");
    uint64_t caught = signals_of(buf, "\nSigCgt:");
    pending &= ~(signals_of(buf, "\nSigBlk:") | signals_of(buf, "\nSigIgn:"));
    return pending & (asks_to_end | ~(caught | harmless));
}

/* A program that is being started closes files while it holds what a look at its stat waits for. One
 * that ends has given up its memory by then. */
bool caller_was_killed(pid_t tid)
{
    static const unsigned exiting = 4; /* PF_EXITING of the kernel's sched.h */
    char buf[4096];
    if (!tid || !read_proc(tid, "status", buf, sizeof(buf)) || strstr(buf, "\nVmSize:"))
        return false;
    return (stat_field(tid, STAT_FLAGS) & exiting) && (stat_field(tid, STAT_EXIT_CODE) & 0x7f) != 0;
}

static bool caller_leads_into(int proc, const char *pid, const char *link, const char *folder)
{
    char name[NAME_MAX + 8], target[PATH_MAX];
    size_t len = strlen(folder);
    snprintf(name, sizeof(name), "%s/%s", pid, link);
    ssize_t n = readlinkat(proc, name, target, sizeof(target) - 1);
    if (n < (ssize_t)len)
        return false;
    target[n] = 0;
    const char *rest = target + len;
    /* The kernel appends this where the folder was removed or renamed. */
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
                (caller_leads_into(dirfd(proc), d->d_name, "cwd", folder) ||
                 caller_leads_into(dirfd(proc), d->d_name, "root", folder));
    return found;
}
