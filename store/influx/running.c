/* SPDX-License-Identifier: MIT */
#include "store/influx/running.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/influx/names.h"
#include "store/influx/process.h"
#include "store/influx/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TREES 3
#define DEPTH_MAX 32 /* of folders; influxd makes six levels */

static const char *const tree_names[TREES] = {"meta", "data", "wal"};

static const char *tree_path(const struct store_paths *p, size_t i)
{
    return i == 0 ? p->meta : i == 1 ? p->data : p->wal;
}

/* A file that some process holds. */
struct held {
    struct process_file file;
    pid_t pid;
    char name[64];
};

struct scan {
    const struct store_paths *paths;
    struct place places[TREES];
    struct err *e;
    const struct process *now; /* the one being looked at */
    struct held *held;
    size_t n, cap;
};

static void scan_release(struct scan *s)
{
    free(s->held);
}

/* Calls fn for each process but our own. Those that have vanished are no error. */
static int each_process(int (*fn)(void *arg, const struct process *p), void *arg, struct err *e)
{
    char self[32];
    autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t len = proc < 0 ? -1 : readlinkat(proc, "self", self, sizeof(self) - 1);
    if (len < 0)
        return err_sys(e, -errno, "/proc: cannot see whether influxd is running");
    self[len] = 0;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(proc, &list);
    if (r < 0)
        return err_sys(e, r, "/proc: cannot see whether influxd is running");
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct process p;
        uint64_t pid;
        if (!name_is_shard(list.names[i], &pid) || strcmp(list.names[i], self) == 0 ||
            process_open(proc, list.names[i], &p) < 0)
            continue;
        r = fn(arg, &p);
        process_close(&p);
    }
    return r;
}

static int find_places(const struct store_paths *p, struct place places[TREES], struct err *e)
{
    for (size_t i = 0; i < TREES; i++) {
        int r = place_find(NULL, tree_path(p, i), &places[i]);
        if (r < 0)
            return err_sys(e, r, "%s", tree_path(p, i));
    }
    return 0;
}

static int remember(void *arg, const struct process_file *f)
{
    struct scan *s = arg;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct held *h = realloc(s->held, cap * sizeof(*h));
        if (!h)
            return -ENOMEM;
        s->held = h;
        s->cap = cap;
    }
    struct held *h = &s->held[s->n++];
    *h = (struct held){.file = *f, .pid = s->now->pid};
    memcpy(h->name, s->now->name, sizeof(h->name));
    return 0;
}

/* Compares what an influxd is configured for; it holds nothing open while it has no databases. */
static int check_folders(struct scan *s, const struct server *server)
{
    for (size_t i = 0; i < TREES; i++) {
        struct place theirs;
        const char *path = tree_path(&server->paths, i);
        if (!path || place_find(server, path, &theirs) < 0)
            continue;
        for (size_t k = 0; k < TREES; k++)
            if (place_same(&theirs, &s->places[k]))
                return err_set(
                    s->e, -EBUSY, "influxd (pid %d) runs on the %s folder %s (%s): stop it first",
                    (int)s->now->pid, tree_names[k], tree_path(s->paths, k),
                    server->paths.config ? server->paths.config : "its settings without a file");
    }
    return 0;
}

static int opaque(const struct scan *s, int code, const char *why)
{
    if (code == -ENOMEM)
        return err_sys(s->e, code, "/proc");
    return err_set(s->e, -EBUSY,
                   "influxd (pid %d) may use the store, it cannot be told (%s): stop it first",
                   (int)s->now->pid, why);
}

static int look_at_influxd(struct scan *s, const struct process *p)
{
    cleanup(server_close) struct server server = {.root = -1, .cwd = -1};
    struct err why = {0};
    int r = process_files(p, false, remember, s);
    if (r < 0 && r != -ESRCH)
        return opaque(s, r, strerrordesc_np(-r));
    r = server_read(p, &server, &why);
    if (r == 0 || r == -ESRCH)
        return 0;
    return r < 0 ? opaque(s, r, why.text) : check_folders(s, &server);
}

static int look_at(void *arg, const struct process *p)
{
    struct scan *s = arg;
    s->now = p;
    if (p->is_influxd)
        return look_at_influxd(s, p);
    int r = process_files(p, true, remember, s);
    return r == -ENOMEM ? err_sys(s->e, r, "/proc") : 0;
}

static int by_inode(const void *va, const void *vb)
{
    const struct process_file *a = &((const struct held *)va)->file;
    const struct process_file *b = &((const struct held *)vb)->file;
    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    return (a->ino > b->ino) - (a->ino < b->ino);
}

/* -EBUSY if the file or folder at path is among those held. */
static int check_held(const struct scan *s, const struct stat *st, const char *path)
{
    struct held key = {.file = {.dev = st->st_dev, .ino = st->st_ino}};
    const struct held *h = bsearch(&key, s->held, s->n, sizeof(key), by_inode);
    if (!h)
        return 0;
    return err_set(s->e, -EBUSY, "%s (pid %d) has %s %s%s: stop it first", h->name, (int)h->pid,
                   path, h->file.is_mapped ? "mapped" : "open",
                   h->file.is_writable ? " for writing" : "");
}

/* Checks the folder open at fd, whose path of len bytes is in path, and all below it. */
static int walk(const struct scan *s, int fd, char path[PATH_MAX], size_t len, int depth)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(s->e, -errno, "%s", path);
    int r = check_held(s, &st, path);
    cleanup(dir_free) struct dir list = {0};
    if (r == 0 && (r = dir_read(fd, &list)) < 0)
        return err_sys(s->e, r, "%s", path);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const char *name = list.names[i];
        size_t n = len + 1 + strlen(name);
        if ((depth == 0 && name_is_hidden(name)) || n >= PATH_MAX)
            continue;
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        snprintf(path + len, PATH_MAX - len, "/%s", name);
        if (S_ISREG(st.st_mode)) {
            r = check_held(s, &st, path);
        } else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            autoclose int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0)
                r = walk(s, sub, path, n, depth + 1);
            else if (errno != ENOENT)
                r = err_sys(s->e, -errno, "%s", path);
        }
        path[len] = 0;
    }
    return r;
}

/* Looks for the files held in the trees: these may be many, what processes hold is little. */
static int walk_trees(struct scan *s)
{
    autofree char *path = malloc(PATH_MAX);
    if (!path)
        return err_sys(s->e, -ENOMEM, "/proc");
    if (s->n)
        qsort(s->held, s->n, sizeof(*s->held), by_inode);
    int r = 0;
    for (size_t i = 0; r == 0 && s->n && i < TREES; i++) {
        int len = snprintf(path, PATH_MAX, "%s", tree_path(s->paths, i));
        if (len >= PATH_MAX)
            return err_sys(s->e, -ENAMETOOLONG, "%s", tree_path(s->paths, i));
        autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            r = walk(s, fd, path, (size_t)len, 0);
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
        r = each_process(look_at, &s, e);
    return r < 0 ? r : walk_trees(&s);
}

struct comparison {
    const struct store_paths *paths;
    struct place config, places[TREES];
    bool same;               /* some influxd uses the file and the folders */
    struct store_paths seen; /* what the other one uses, if it sees what we see */
    struct err other; /* about one that uses the file but other folders; empty if there is none */
};

/* Which of the folders is another one for the server, or TREES. */
static size_t find_difference(const struct comparison *c, const struct server *server)
{
    size_t i = 0;
    for (; i < TREES; i++) {
        struct place theirs;
        const char *path = tree_path(&server->paths, i);
        if (path && place_find(server, path, &theirs) == 0 && !place_same(&theirs, &c->places[i]))
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

/* As it would be written here: its relative paths begin at its own working folder. */
static int absolute(const struct server *server, const char *path, char **out)
{
    char cwd[PATH_MAX], link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", server->cwd);
    ssize_t n = *path == '/' ? 0 : readlink(link, cwd, sizeof(cwd) - 1);
    if (n < 0)
        return -errno;
    cwd[n] = 0;
    if (asprintf(out, "%s%s%s", cwd, n ? "/" : "", path) < 0) {
        *out = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int note_folders(struct comparison *c, const struct server *server)
{
    char **const to[TREES] = {&c->seen.meta, &c->seen.data, &c->seen.wal};
    store_paths_free(&c->seen);
    for (size_t i = 0; sees_our_root(server) && i < TREES; i++) {
        const char *path = tree_path(&server->paths, i);
        int r = path ? absolute(server, path, to[i]) : -ENOENT;
        if (r < 0) {
            store_paths_free(&c->seen);
            return r == -ENOMEM ? r : 0;
        }
    }
    return 0;
}

static int compare(void *arg, const struct process *p)
{
    struct comparison *c = arg;
    struct place config;
    cleanup(server_close) struct server server = {.root = -1, .cwd = -1};
    if (!p->is_influxd || server_read(p, &server, NULL) != 1 || !server.paths.config ||
        place_find(&server, server.paths.config, &config) < 0 || !place_same(&config, &c->config))
        return 0;
    size_t i = find_difference(c, &server);
    int r = c->same ? 0 : note_folders(c, &server);
    if (r < 0)
        return err_sys(&c->other, r, "/proc");
    if (i == TREES)
        c->same = true;
    else
        err_set(&c->other, -EINVAL,
                "influxd (pid %d) runs with %s but its %s folder is %s, not %s: give influxfs the "
                "same environment, or %s=FOLDER",
                (int)p->pid, c->paths->config, tree_names[i], tree_path(&server.paths, i),
                tree_path(c->paths, i), tree_names[i]);
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
        r = each_process(compare, &c, e);
    if (r == 0 && seen)
        *seen = c.seen;
    else
        store_paths_free(&c.seen);
    if (r < 0 || c.same || !c.other.text[0])
        return r;
    return err_set(e, -EINVAL, "%s", c.other.text);
}
