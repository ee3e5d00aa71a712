/* SPDX-License-Identifier: MIT */
#include "store/restore/store_walk.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The kind of folder that an entry is in. */
enum depth { TOP, DATABASE, POLICY, SHARD };

struct walk {
    enum target_kind kind;
    store_walk_fn *fn;
    void *arg;
};

static bool walk_wants_file(const struct walk *w, enum depth depth, const char *name)
{
    switch (w->kind) {
    case TARGET_META:
        return depth == TOP && strcmp(name, NAME_META_DB) == 0;
    case TARGET_DATA:
        return depth == SHARD && (name_is_tsm(name) || name_is_tombstone(name));
    default:
        return depth == SHARD && name_is_wal(name);
    }
}

static bool walk_wants_folder(const struct walk *w, enum depth depth, const char *name)
{
    if (w->kind == TARGET_META || strcmp(name, TARGET_HOME) == 0)
        return false;
    switch (depth) {
    case TOP:
        return strcmp(name, "lost+found") != 0;
    case DATABASE:
        return !name_is_series(name);
    case POLICY:
        return name_is_shard(name, NULL);
    default:
        return depth == SHARD && w->kind == TARGET_DATA && strcmp(name, NAME_INDEX) == 0;
    }
}

static int walk_folder(const struct walk *w, enum depth depth, int fd, const char *path);

static int walk_entry(const struct walk *w, enum depth depth, int dir, const char *path,
                      const char *name)
{
    struct stat st;
    autofree char *whole = NULL;
    bool file = walk_wants_file(w, depth, name);
    if (!file && !walk_wants_folder(w, depth, name))
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (asprintf(&whole, "%s/%s", path, name) < 0)
        return -ENOMEM;
    if (S_ISREG(st.st_mode) && file)
        return w->fn(w->arg, whole, &st);
    if (!S_ISDIR(st.st_mode) || file)
        return 0;
    int r = w->fn(w->arg, whole, &st);
    if (r != 0 || depth == SHARD)
        return r;
    autoclose int fd = io_open_beneath(dir, name, O_RDONLY | O_DIRECTORY);
    return fd < 0 ? fd : walk_folder(w, depth + 1, fd, whole);
}

static int walk_folder(const struct walk *w, enum depth depth, int fd, const char *path)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++)
        r = walk_entry(w, depth, fd, path, list.names[i]);
    return r;
}

int store_walk(const int fds[TARGETS], store_walk_fn *fn, void *arg)
{
    int r = 0;
    for (int i = 0; r == 0 && i < TARGETS; i++) {
        struct stat st;
        const struct walk w = {(enum target_kind)i, fn, arg};
        const char *name = target_kind_name(w.kind);
        if (fds[i] < 0)
            continue;
        r = fstat(fds[i], &st) < 0 ? -errno : fn(arg, name, &st);
        if (r == 0)
            r = walk_folder(&w, TOP, fds[i], name);
    }
    return r;
}

bool store_walk_meets(const char *name)
{
    const char *path, *slash;
    const struct walk w = {.kind = target_kind_of(name, &path)};
    enum depth depth = TOP;
    for (; (slash = strchr(path, '/')); path = slash + 1, depth++) {
        char folder[NAME_MAX + 1];
        if (depth == SHARD || slash - path > NAME_MAX)
            return false;
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        if (!walk_wants_folder(&w, depth, folder))
            return false;
    }
    return walk_wants_file(&w, depth, path);
}
