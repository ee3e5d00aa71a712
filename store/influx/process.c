/* SPDX-License-Identifier: MIT */
#include "store/influx/process.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PROC_FILE_MAX (4 << 20)

/* All of these mean that the process has gone. */
static int gone(int r)
{
    return r == -ENOENT || r == -ENOTDIR ? -ESRCH : r;
}

static int read_at(int dir, const char *file, char *buf, size_t cap)
{
    autoclose int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gone(-errno);
    ssize_t n = read(fd, buf, cap - 1);
    if (n < 0)
        return gone(-errno);
    buf[n] = 0;
    return (int)n;
}

/* The rest of the line of /proc/PID/status that begins with key, or NULL. */
static const char *process_line(const char *status, const char *key)
{
    const char *line = strstr(status, key);
    return line ? line + strlen(key) : NULL;
}

/* Not from stat: a look at that waits while the process starts another program. */
static int process_read_status(int dir, char *state, char *name, size_t cap)
{
    char buf[4096];
    int n = read_at(dir, "status", buf, sizeof(buf));
    if (n < 0)
        return n;
    const char *named = process_line(buf, "Name:\t"), *is = process_line(buf, "\nState:\t");
    if (!named || !is)
        return -ESRCH;
    *state = *is;
    snprintf(name, cap, "%.*s", (int)strcspn(named, "\n"), named);
    return 0;
}

static bool is_dead(char state)
{
    return state == 'Z' || state == 'X' || state == 'x';
}

/* A program's other threads go on after its first one has ended, and only their entries show its
 * files. Returns the folder of one of them. */
static int process_open_thread(int dir)
{
    autoclose int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tasks < 0)
        return gone(-errno);
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(tasks, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        char state, name[64];
        autoclose int fd = openat(tasks, list.names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && process_read_status(fd, &state, name, sizeof(name)) == 0 && !is_dead(state))
            return steal_fd(&fd);
    }
    return r < 0 ? gone(r) : -ESRCH;
}

bool process_runs_influxd(const struct process *p)
{
    static const char deleted[] = " (deleted)";
    char exe[4096];
    ssize_t n = readlinkat(p->dir, "exe", exe, sizeof(exe) - 1);
    if (n < 0)
        return false;
    exe[n] = 0;
    size_t tail = sizeof(deleted) - 1;
    if ((size_t)n > tail && strcmp(exe + n - tail, deleted) == 0)
        exe[n - (ssize_t)tail] = 0;
    return strcmp(path_last(exe), "influxd") == 0;
}

int process_open(int proc, const char *pid, struct process *out)
{
    char state;
    struct process p = {.pid = (pid_t)strtol(pid, NULL, 10)};
    autoclose int dir = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return gone(-errno);
    int r = process_read_status(dir, &state, p.name, sizeof(p.name));
    if (r < 0)
        return r;
    if (is_dead(state)) {
        int thread = process_open_thread(dir);
        if (thread < 0)
            return thread;
        close(dir);
        dir = thread;
    }
    p.is_influxd = strcmp(p.name, "influxd") == 0;
    p.dir = steal_fd(&dir);
    *out = p;
    return 0;
}

void process_close(struct process *p)
{
    if (p->dir > 0)
        close(p->dir);
    p->dir = 0;
}

bool process_is_alive(const struct process *p)
{
    char state, name[64];
    return process_read_status(p->dir, &state, name, sizeof(name)) == 0 && !is_dead(state);
}

/* 1 if it is a file or folder. It must not wait for the file system, which may be our own mount. */
static int identify(int dir, const char *name, struct process_file *f)
{
    struct statx sx;
    if (statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &sx) < 0)
        return -errno;
    f->dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
    f->ino = sx.stx_ino;
    return S_ISREG(sx.stx_mode) || S_ISDIR(sx.stx_mode);
}

static int process_descriptors(const struct process *p, bool writable_only,
                               int (*fn)(void *arg, const struct process_file *f), void *arg)
{
    autoclose int fds = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fds < 0)
        return gone(-errno);
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fds, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct stat link;
        struct process_file f = {0};
        /* The mode of such a link says how the file is open, as fdinfo's flags do. */
        if (fstatat(fds, list.names[i], &link, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        f.is_writable = link.st_mode & S_IWUSR;
        if ((writable_only && !f.is_writable) || identify(fds, list.names[i], &f) <= 0)
            continue;
        r = fn(arg, &f);
    }
    return gone(r);
}

/* Reads "START-END PERMISSIONS OFFSET MAJOR:MINOR INODE PATH". true if it maps a file. */
static bool process_parse_mapping(int dir, const char *line, struct process_file *f)
{
    char range[64], perms[8], link[80];
    unsigned major, minor;
    uintmax_t ino;
    if (sscanf(line, "%63s %7s %*s %x:%x %ju", range, perms, &major, &minor, &ino) != 5 || !ino)
        return false;
    f->is_mapped = true;
    f->is_writable = strlen(perms) == 4 && perms[1] == 'w' && perms[3] == 's';
    f->dev = makedev(major, minor);
    f->ino = (ino_t)ino;
    /* What stat says differs from the line on some file systems, but needs privileges here. */
    snprintf(link, sizeof(link), "map_files/%s", range);
    identify(dir, link, f);
    return true;
}

static void closep(FILE **f)
{
    if (*f)
        fclose(*f);
}

static int process_mappings(const struct process *p, bool writable_only,
                            int (*fn)(void *arg, const struct process_file *f), void *arg)
{
    autoclose int fd = openat(p->dir, "maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gone(-errno);
    cleanup(closep) FILE *file = fdopen(fd, "r");
    if (!file)
        return -errno;
    fd = -1;
    autofree char *line = NULL;
    size_t cap = 0;
    int r = 0;
    while (r == 0 && getline(&line, &cap, file) >= 0) {
        struct process_file f = {0};
        bool maybe = !writable_only || strstr(line, "w-s ") || strstr(line, "wxs ");
        if (!maybe || !process_parse_mapping(p->dir, line, &f))
            continue;
        if (!writable_only || f.is_writable)
            r = fn(arg, &f);
    }
    return r;
}

int process_files(const struct process *p, bool writable_only,
                  int (*fn)(void *arg, const struct process_file *f), void *arg)
{
    int r = process_descriptors(p, writable_only, fn, arg);
    return r < 0 ? r : process_mappings(p, writable_only, fn, arg);
}

bool process_holds_name(const struct process *p, const char *name)
{
    autoclose int fds = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup(dir_free) struct dir list = {0};
    if (fds < 0 || dir_read(fds, &list) < 0)
        return false;
    for (size_t i = 0; i < list.n; i++) {
        char target[4096];
        ssize_t n = readlinkat(fds, list.names[i], target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = 0;
        if (strcmp(path_last(target), name) == 0)
            return true;
    }
    return false;
}

int process_read(const struct process *p, const char *file, char **buf, size_t *len)
{
    autoclose int fd = openat(p->dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gone(-errno);
    cleanup(buffer_free) struct buffer b = {0};
    for (ssize_t n = 1; n != 0; b.n += (size_t)n) {
        char *to = buffer_reserve(&b, 4096);
        if (!to)
            return -ENOMEM;
        n = b.n < PROC_FILE_MAX ? read(fd, to, 4096) : -1;
        if (n < 0)
            return b.n < PROC_FILE_MAX ? gone(-errno) : -EFBIG;
    }
    b.p[b.n] = 0;
    *len = b.n;
    *buf = steal_ptr(&b.p);
    return 0;
}
