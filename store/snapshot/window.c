/* SPDX-License-Identifier: MIT */
#include "store/snapshot/window.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void window_free(struct window *w)
{
    for (size_t i = 0; i < w->nshards; i++) {
        shard_clear(&w->shards[i]);
        free(w->shards[i].path);
    }
    for (size_t i = 0; i < w->nparents; i++)
        free(w->parents[i].path);
    free(w->shards);
    free(w->parents);
    *w = (struct window){0};
}

static int out_of_time(const struct window_wait *wait)
{
    if (wait->interrupted && wait->interrupted(wait->ctx))
        return -EINTR;
    return io_mono_ns() >= wait->deadline_ns ? -EAGAIN : 0;
}

static int explain(int r, const struct shard *s, struct err *e)
{
    switch (r) {
    case -EAGAIN:
        return err_set(e, r, "shard %s: its files kept changing for too long; try again", s->path);
    case -EMFILE:
    case -ENFILE:
        return err_set(e, -ENFILE, "shard %s: out of file descriptors; raise the open files limit",
                       s->path);
    case -ELOOP:
        return err_set(e, -EIO, "shard %s: a file in it is a symbolic link, which is not followed",
                       s->path);
    case -EINVAL:
        return err_set(e, -EIO, "shard %s: what bears a file's name in it is no file", s->path);
    default:
        return err_sys(e, r, "shard %s", s->path);
    }
}

/* Opens one shard until its first listing holds; what vanishes in between is tried again. */
static int shard_open_retry(struct held_table *t, int data_fd, int wal_fd,
                            const struct shard *before, const struct window_wait *wait,
                            struct shard *s, struct err *e)
{
    for (;;) {
        int r = shard_open(t, data_fd, wal_fd, before, s);
        if (r == 0)
            return 0;
        if (r != -ENOENT)
            return explain(r, s, e);
        r = out_of_time(wait);
        if (r < 0)
            return explain(r, s, e);
    }
}

/* Second listing of one shard; where it differs from the first, the shard is done again alone. */
static int shard_settle(struct held_table *t, int data_fd, int wal_fd,
                        const struct window_wait *wait, struct shard *s, bool *redone,
                        struct err *e)
{
    while (!s->gone) {
        int r = shard_recheck(data_fd, wal_fd, s);
        if (r == 0)
            return 0;
        if (r != -ESTALE)
            return explain(r, s, e);
        *redone = true;
        r = out_of_time(wait);
        if (r < 0)
            return explain(r, s, e);
        r = shard_open_retry(t, data_fd, wal_fd, NULL, wait, s, e);
        if (r < 0)
            return r;
        r = shard_cut(s);
        if (r < 0)
            return explain(r, s, e);
    }
    return 0;
}

static int add_parent(struct window *w, const char *path, bool in_wal,
                      const struct folder_seen *folder)
{
    if ((w->nparents & (w->nparents + 1)) == 0) {
        void *p = realloc(w->parents, (w->nparents + 1) * 2 * sizeof(*w->parents));
        if (!p)
            return -ENOMEM;
        w->parents = p;
    }
    struct window_parent *d = &w->parents[w->nparents];
    *d = (struct window_parent){strdup(path), in_wal, *folder};
    if (!d->path)
        return -ENOMEM;
    w->nparents++;
    return 0;
}

static int add_shard(struct window *w, const char *path, uint64_t id)
{
    if ((w->nshards & (w->nshards + 1)) == 0) {
        void *p = realloc(w->shards, (w->nshards + 1) * 2 * sizeof(*w->shards));
        if (!p)
            return -ENOMEM;
        w->shards = p;
    }
    struct shard *s = &w->shards[w->nshards];
    *s = (struct shard){.path = strdup(path), .id = id};
    if (!s->path)
        return -ENOMEM;
    w->nshards++;
    return 0;
}

enum { LEVEL_ROOT, LEVEL_DB, LEVEL_RP };

/* Walks DATA or WAL down to the shards. Only folders count, as for influxd, which skips links and
 * plain files at these levels. What vanishes meanwhile is as if it had not been listed. */
static int walk(struct window *w, int root, bool in_wal, const char *path, int level)
{
    struct folder_seen folder;
    autoclose int fd = folder_open(root, path, &folder);
    if (level > LEVEL_ROOT && (shard_vanished(fd) || fd == -ELOOP))
        return 0;
    if (fd < 0)
        return fd;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r == 0)
        r = add_parent(w, path, in_wal, &folder);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const char *name = list.names[i];
        char sub[PATH_MAX];
        uint64_t id;
        if (dir_type(&list, i) != DT_DIR && dir_type(&list, i) != DT_UNKNOWN)
            continue;
        if (snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "/" : "", name) >= (int)sizeof(sub))
            return -ENAMETOOLONG;
        if (level == LEVEL_ROOT && !name_is_hidden(name))
            r = walk(w, root, in_wal, sub, LEVEL_DB);
        else if (level == LEVEL_DB && !name_is_series(name))
            r = walk(w, root, in_wal, sub, LEVEL_RP);
        else if (level == LEVEL_RP && !in_wal && name_is_shard(name, &id))
            r = add_shard(w, sub, id);
    }
    return r;
}

/* Whether the cuts are the state of one instant: nothing was written, no segment begun and no shard
 * made from the first listing to the last cut. */
static bool one_instant(const struct window *w, int data_fd, int wal_fd)
{
    for (size_t i = 0; i < w->nparents; i++) {
        const struct window_parent *p = &w->parents[i];
        if (!folder_same(p->in_wal ? wal_fd : data_fd, p->path, &p->folder))
            return false;
    }
    for (size_t i = 0; i < w->nshards; i++) {
        const struct shard *s = &w->shards[i];
        if (s->gone || !shard_cut_holds(s) ||
            (s->has_wal && !folder_same(wal_fd, s->path, &s->wal)))
            return false;
    }
    return true;
}

/* From the first listing, since segments begun after it are not in the cut, to the last cut. */
static int64_t skew(const struct window *w)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < w->nshards; i++) {
        const struct shard *s = &w->shards[i];
        if (s->gone)
            continue;
        first = s->listed_ns < first ? s->listed_ns : first;
        last = s->cut_ns > last ? s->cut_ns : last;
    }
    return last > first ? last - first : 0;
}

/* The shard of that path in an earlier window, or NULL. Shards are asked for in the order of the
 * walk, which both windows have: *k goes on from where the last one was found. */
static const struct shard *find_shard(const struct window *w, const char *path, size_t *k)
{
    for (size_t n = w ? w->nshards : 0, tried = 0; tried < n; tried++, ++*k) {
        if (*k >= n)
            *k = 0;
        if (strcmp(w->shards[*k].path, path) == 0)
            return &w->shards[*k];
    }
    return NULL;
}

static int take(struct held_table *t, int data_fd, int wal_fd, const struct window *before,
                const struct window_wait *wait, struct window *w, struct err *e)
{
    int r = walk(w, data_fd, false, "", LEVEL_ROOT);
    if (r == 0 && wal_fd >= 0)
        r = walk(w, wal_fd, true, "", LEVEL_ROOT);
    if (r < 0)
        return err_sys(e, r, "listing the data and WAL folders");
    if (wal_fd < 0 && w->nshards > 0)
        return err_set(e, -EIO, "the data folder holds %zu shards, and there is no WAL folder",
                       w->nshards);
    for (size_t i = 0, k = 0; i < w->nshards; i++) {
        const struct shard *was = find_shard(before, w->shards[i].path, &k);
        r = shard_open_retry(t, data_fd, wal_fd, was, wait, &w->shards[i], e);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < w->nshards; i++) {
        r = shard_cut(&w->shards[i]);
        if (r < 0)
            return explain(r, &w->shards[i], e);
    }
    bool redone = false;
    for (size_t i = 0; i < w->nshards; i++) {
        r = shard_settle(t, data_fd, wal_fd, wait, &w->shards[i], &redone, e);
        if (r < 0)
            return r;
    }
    w->skew_ns = redone || !one_instant(w, data_fd, wal_fd) ? skew(w) : 0;
    return 0;
}

int window_take(struct held_table *t, int data_fd, int wal_fd, const struct window *before,
                const struct window_wait *wait, struct window *out, struct err *e)
{
    struct window w = {0};
    int r = take(t, data_fd, wal_fd, before, wait, &w, e);
    if (r < 0) {
        window_free(&w);
        return r;
    }
    *out = w;
    return 0;
}

int window_recheck(const struct window *w, int data_fd, int wal_fd)
{
    for (size_t i = 0; i < w->nshards; i++) {
        if (w->shards[i].gone)
            continue;
        int r = shard_recheck(data_fd, wal_fd, &w->shards[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

int window_unchanged(const struct window *w, int data_fd, int wal_fd)
{
    for (size_t i = 0; i < w->nparents; i++) {
        const struct window_parent *p = &w->parents[i];
        if (!folder_same(p->in_wal ? wal_fd : data_fd, p->path, &p->folder))
            return -ESTALE;
    }
    for (size_t i = 0; i < w->nshards; i++)
        if (!shard_unchanged(data_fd, wal_fd, &w->shards[i]))
            return -ESTALE;
    return 0;
}
