/* SPDX-License-Identifier: MIT */
#include "store/influx/running.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/influx/processes.h"
#include "store/influx/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define DEPTH_MAX 32 /* of folders; influxd makes six levels */

/* A file that some process has open. */
struct open_file {
    struct process_file file;
    pid_t pid;
    char name[64];
};

struct scan {
    const struct store_paths *paths;
    struct place places[STORE_FOLDERS];
    struct err *e;
    const struct process *now; /* the one being looked at */
    struct open_file *open_files;
    size_t n;
};

static void scan_release(struct scan *s)
{
    free(s->open_files);
}

/* Calls fn for each process but our own. */
static int running_each_process(enum processes_want want,
                                int (*fn)(void *arg, const struct process_seen *p), void *arg,
                                struct err *e)
{
    cleanup(processes_free) struct processes all;
    int r = processes_read(want, &all);
    if (r < 0)
        return err_sys(e, r, "/proc: cannot see whether influxd is running");
    for (size_t i = 0; r == 0 && i < all.n; i++)
        r = fn(arg, &all.list[i]);
    return r;
}

static int find_places(const struct store_paths *p, struct place places[STORE_FOLDERS],
                       struct err *e)
{
    for (size_t i = 0; i < STORE_FOLDERS; i++) {
        int r = place_find(NULL, store_folder(p, i), &places[i]);
        if (r < 0)
            return err_sys(e, r, "%s", store_folder(p, i));
    }
    return 0;
}

static int remember_files(struct scan *s, const struct process_seen *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!array_grow(&s->open_files, s->n))
            return err_sys(s->e, -ENOMEM, "/proc");
        struct open_file *f = &s->open_files[s->n++];
        *f = (struct open_file){.file = p->files[i], .pid = p->process.pid};
        memcpy(f->name, p->process.name, sizeof(f->name));
    }
    return 0;
}

/* Whether theirs is our folder at path, which was at `before`. While influxd makes its folders, each
 * look finds more of them: theirs is what ours was before, or what it is now. */
static bool running_same(const struct place *theirs, const struct place *before, const char *path)
{
    struct place now;
    return place_same(theirs, before) ||
           (place_find(NULL, path, &now) == 0 && place_same(theirs, &now));
}

/* Compares the configured folders of an influxd; without databases it holds no file open. */
static int running_check_folders(struct scan *s, const struct server *server)
{
    for (size_t i = 0; i < STORE_FOLDERS; i++) {
        struct place theirs;
        const char *path = store_folder(&server->paths, i);
        if (!path || place_find(server, path, &theirs) < 0)
            continue;
        for (size_t k = 0; k < STORE_FOLDERS; k++)
            if (running_same(&theirs, &s->places[k], store_folder(s->paths, k)))
                return err_set(s->e, -EBUSY, "influxd (pid %d) runs on the %s folder %s (%s)",
                               (int)s->now->pid, store_folder_names[k], store_folder(s->paths, k),
                               server->paths.config ? server->paths.config
                                                    : "its settings without a file");
    }
    return 0;
}

static int opaque(const struct scan *s, int code, const char *why)
{
    if (code == -ENOMEM)
        return err_sys(s->e, code, "/proc");
    return err_set(s->e, -EBUSY, "influxd (pid %d) may use the store, it cannot be told (%s)",
                   (int)s->now->pid, why);
}

static int look_at_influxd(struct scan *s, const struct process *p)
{
    cleanup(server_close) struct server server = {.root = -1, .cwd = -1};
    struct err why = {0};
    int r = server_read(p, &server, &why);
    if (r == 0 || r == -ESRCH)
        return 0;
    return r < 0 ? opaque(s, r, why.text) : running_check_folders(s, &server);
}

static int look_at(void *arg, const struct process_seen *p)
{
    struct scan *s = arg;
    const bool influxd = p->process.is_influxd;
    s->now = &p->process;
    int r = remember_files(s, p);
    if (r == 0 && (p->error == -ENOMEM || (p->error < 0 && p->error != -ESRCH && influxd)))
        r = opaque(s, p->error,
                   p->error == -ETIMEDOUT ? "a look into it does not end"
                                          : strerrordesc_np(-p->error));
    return r == 0 && influxd ? look_at_influxd(s, &p->process) : r;
}

static int by_inode(const void *va, const void *vb)
{
    const struct process_file *a = &((const struct open_file *)va)->file;
    const struct process_file *b = &((const struct open_file *)vb)->file;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return (a->dev > b->dev) - (a->dev < b->dev);
}

/* -EBUSY if the file or folder at path is among those open. */
static int check_open(const struct scan *s, const struct stat *st, const char *path)
{
    struct open_file key = {.file = {.dev = st->st_dev, .ino = st->st_ino}};
    const struct open_file *f = bsearch(&key, s->open_files, s->n, sizeof(key), by_inode);
    if (!f)
        return 0;
    return err_set(s->e, -EBUSY, "%s (pid %d) has %s %s%s", f->name, (int)f->pid, path,
                   f->file.is_mapped ? "mapped" : "open",
                   f->file.is_writable ? " for writing" : "");
}

/* Whether the names of a folder there come with the numbers that stat would give. */
static bool running_tells_inodes(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
           fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC;
}

static bool running_is_below(const void *file, const void *ino)
{
    return ((const struct open_file *)file)->file.ino < *(const ino_t *)ino;
}

/* Whether a file of this number is open, on any disk: most are of none that is, and need no stat. */
static bool running_may_be_open(const struct scan *s, ino_t ino)
{
    const size_t i =
        array_bisect(s->open_files, s->n, sizeof(*s->open_files), &ino, running_is_below);
    return i < s->n && s->open_files[i].file.ino == ino;
}

static int running_walk(const struct scan *s, int fd, char path[PATH_MAX], size_t len, int depth);

/* One entry of a folder, whose path of len bytes is in path. */
static int running_walk_entry(const struct scan *s, int fd, const char *name, char path[PATH_MAX],
                              size_t len, int depth)
{
    struct stat st;
    const size_t n = len + 1 + strlen(name);
    int r = 0;
    if (n >= PATH_MAX || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    snprintf(path + len, PATH_MAX - len, "/%s", name);
    if (S_ISREG(st.st_mode)) {
        r = check_open(s, &st, path);
    } else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
        autoclose int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0)
            r = running_walk(s, sub, path, n, depth + 1);
        else if (errno != ENOENT)
            r = err_sys(s->e, -errno, "%s", path);
    }
    path[len] = 0;
    return r;
}

/* Checks the folder open at fd, whose path of len bytes is in path, and all below it. */
static int running_walk(const struct scan *s, int fd, char path[PATH_MAX], size_t len, int depth)
{
    struct stat st;
    const struct dirent *d;
    if (fstat(fd, &st) < 0)
        return err_sys(s->e, -errno, "%s", path);
    int r = check_open(s, &st, path), own = dup(fd);
    autoclosedir DIR *list = own < 0 ? NULL : fdopendir(own);
    if (!list)
        return err_sys(s->e, -errno, "%s", path);
    const bool tells = running_tells_inodes(fd);
    while (r == 0 && (errno = 0, d = readdir(list))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
            (depth == 0 && name_is_hidden(d->d_name)))
            continue;
        if (!tells || d->d_type != DT_REG || running_may_be_open(s, d->d_ino))
            r = running_walk_entry(s, fd, d->d_name, path, len, depth);
    }
    return r == 0 && errno ? err_sys(s->e, -errno, "%s", path) : r;
}

/* Looks for the open files in the store: the store may have many files, processes hold few. */
static int running_walk_trees(struct scan *s)
{
    autofree char *path = malloc(PATH_MAX);
    if (!path)
        return err_sys(s->e, -ENOMEM, "/proc");
    if (s->n)
        qsort(s->open_files, s->n, sizeof(*s->open_files), by_inode);
    int r = 0;
    for (size_t i = 0; r == 0 && s->n && i < STORE_FOLDERS; i++) {
        int len = snprintf(path, PATH_MAX, "%s", store_folder(s->paths, i));
        if (len >= PATH_MAX)
            return err_sys(s->e, -ENAMETOOLONG, "%s", store_folder(s->paths, i));
        autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            r = running_walk(s, fd, path, (size_t)len, 0);
        else if (errno != ENOENT && errno != ENOTDIR)
            r = err_sys(s->e, -errno, "%s", path);
    }
    return r;
}

int running_uses(const struct store_paths *p, struct err *e)
{
    cleanup(scan_release) struct scan s = {.paths = p, .e = e};
    int r = find_places(p, s.places, e);
    if (r == 0)
        r = running_each_process(PROCESSES_FILES, look_at, &s, e);
    return r < 0 ? r : running_walk_trees(&s);
}

struct comparison {
    const struct store_paths *paths;
    struct place config, places[STORE_FOLDERS];
    bool same;               /* some influxd uses the file and the folders */
    struct store_paths seen; /* the folders of the other one, if its paths mean the same as ours */
    struct err other; /* about one that uses the file but other folders; empty if there is none */
};

/* The first folder that differs for the server, or STORE_FOLDERS. */
static size_t find_difference(const struct comparison *c, const struct server *server)
{
    size_t i = 0;
    for (; i < STORE_FOLDERS; i++) {
        struct place theirs;
        const char *path = store_folder(&server->paths, i);
        if (path && place_find(server, path, &theirs) == 0 &&
            !running_same(&theirs, &c->places[i], store_folder(c->paths, i)))
            break;
    }
    return i;
}

static bool sees_our_root(const struct server *server)
{
    struct stat ours, its;
    return stat("/", &ours) == 0 && fstat(server->root, &its) == 0 && ours.st_dev == its.st_dev &&
           ours.st_ino == its.st_ino;
}

/* The path as written here: relative paths begin at the server's working folder. */
static int absolute(const struct server *server, const char *path, char **out)
{
    char cwd[PATH_MAX], link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", server->cwd);
    ssize_t n = *path == '/' ? 0 : readlink(link, cwd, sizeof(cwd) - 1);
    if (n < 0)
        return -errno;
    cwd[n] = 0;
    *out = path_join(cwd, path);
    return *out ? 0 : -ENOMEM;
}

static int running_note_folders(struct comparison *c, const struct server *server)
{
    store_paths_free(&c->seen);
    for (size_t i = 0; sees_our_root(server) && i < STORE_FOLDERS; i++) {
        const char *path = store_folder(&server->paths, i);
        int r = path ? absolute(server, path, store_folder_of(&c->seen, i)) : -ENOENT;
        if (r < 0) {
            store_paths_free(&c->seen);
            return r == -ENOMEM ? r : 0;
        }
    }
    return 0;
}

/* What differs, and what to do: paths of a container lead elsewhere outside of it. */
static void running_say_other(struct comparison *c, const struct process *p,
                              const struct server *server, size_t i)
{
    const char *there = store_folder(&server->paths, i), *here = store_folder(c->paths, i);
    const char *name = store_folder_names[i];
    if (!sees_our_root(server) || (there && strcmp(there, here) == 0))
        err_set(
            &c->other, -EINVAL,
            "influxd (pid %d) runs with %s in a container, where %s is another folder; give the "
            "folder that holds meta, data and wal here, instead of the file",
            (int)p->pid, c->paths->config, here);
    else
        err_set(&c->other, -EINVAL,
                "influxd (pid %d) runs with %s but its %s folder is %s, not %s: give influxfs the "
                "same environment, or %s=FOLDER",
                (int)p->pid, c->paths->config, name, there, here, name);
}

static int running_compare(void *arg, const struct process_seen *seen)
{
    struct comparison *c = arg;
    const struct process *p = &seen->process;
    struct place config;
    cleanup(server_close) struct server server = {.root = -1, .cwd = -1};
    if (!p->is_influxd || seen->error == -ETIMEDOUT || server_read(p, &server, NULL) != 1 ||
        !server.paths.config || place_find(&server, server.paths.config, &config) < 0 ||
        !place_same(&config, &c->config))
        return 0;
    size_t i = find_difference(c, &server);
    int r = c->same ? 0 : running_note_folders(c, &server);
    if (r < 0)
        return err_sys(&c->other, r, "/proc");
    if (i == STORE_FOLDERS)
        c->same = true;
    else
        running_say_other(c, p, &server, i);
    return 0;
}

int running_mismatch(const struct store_paths *p, struct store_paths *seen, struct err *e)
{
    if (seen)
        *seen = (struct store_paths){0};
    if (!p->config)
        return 0;
    struct comparison c = {.paths = p};
    int r = place_find(NULL, p->config, &c.config);
    if (r < 0)
        return err_sys(e, r, "%s", p->config);
    r = find_places(p, c.places, e);
    if (r == 0)
        r = running_each_process(PROCESSES_NAMES, running_compare, &c, e);
    if (r == 0 && seen)
        *seen = c.seen;
    else
        store_paths_free(&c.seen);
    if (r < 0 || c.same || !c.other.text[0])
        return r;
    return err_set(e, -EINVAL, "%s", c.other.text);
}

int running_forbids(const struct store_paths *p, struct err *e)
{
    struct err why = {0};
    int r = running_uses(p, &why);
    return r < 0 ? err_set(e, r, r == -EBUSY ? "%s: stop it first" : "%s", why.text) : 0;
}
