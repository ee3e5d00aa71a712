/* SPDX-License-Identifier: MIT */
#include "store/snapshot/window.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void window_free(struct window *w)
{
    for (size_t i = 0; i < w->nshards; i++)
        shard_pin_free(&w->shards[i]);
    for (size_t i = 0; i < w->nclosed; i++)
        free(w->closed[i].path);
    free(w->closed);
    for (size_t i = 0; i < w->nparents; i++)
        free(w->parents[i].path);
    free(w->shards);
    free(w->parents);
    *w = (struct window){0};
}

static int out_of_time(const struct window_wait *wait)
{
    if (window_interrupted(wait))
        return -EINTR;
    return time_mono_ns() >= wait->deadline_ns ? -EAGAIN : 0;
}

static int window_explain(int r, const struct shard_pin *s, const struct shard_where *at,
                          struct err *e)
{
    const char *root = at->in_wal ? "wal" : "data", *slash = *at->file ? "/" : "";
    switch (r) {
    case -EAGAIN:
        return err_set(e, r, "shard %s: its files kept changing for too long; try again", s->path);
    case -EMFILE:
    case -ENFILE:
        return held_no_more(s->path, e);
    case -ELOOP:
        return err_set(e, -EIO, "shard %s/%s%s%s: is a symbolic link, which is not followed", root,
                       s->path, slash, at->file);
    case -EINVAL:
        return err_set(e, -EIO, "shard %s/%s%s%s: is not a regular file", root, s->path, slash,
                       at->file);
    case -ENOTDIR:
        return err_set(e, -EIO,
                       "shard %s/%s: is not a folder, or is a symbolic link that leads to none",
                       root, s->path);
    default:
        return err_sys(e, r, "shard %s/%s%s%s", root, s->path, slash, at->file);
    }
}

/* Whether the whole window fails, not one shard. */
static bool is_general(int r)
{
    return r == -EAGAIN || r == -EINTR || r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* A shard that cannot be captured: whether that matters depends on meta.db. */
static int give_up(int r, struct shard_pin *s, const struct shard_where *at, struct err *e)
{
    struct err why = {0};
    int code = window_explain(r, s, at, &why);
    if (is_general(r))
        return err_set(e, code, "%s", why.text);
    shard_pin_clear(s);
    s->why = strdup(why.text);
    return s->why ? 0 : -ENOMEM;
}

/* Opens one shard until its first listing holds; retries when a file vanishes in between. */
static int window_open_shard(struct held_table *t, int data_fd, int wal_fd,
                             const struct shard_pin *before, const struct window_wait *wait,
                             struct shard_pin *s, struct err *e)
{
    for (;;) {
        struct shard_where at;
        int r = shard_pin_open(t, data_fd, wal_fd, before, s, &at);
        if (r == 0)
            return 0;
        if (r != -ENOENT)
            return give_up(r, s, &at, e);
        r = out_of_time(wait);
        if (r < 0)
            return give_up(r, s, &at, e);
    }
}

/* Second listing of one shard; if it differs from the first, only this shard is done again. */
static int window_settle_shard(struct held_table *t, int data_fd, int wal_fd,
                               const struct window_wait *wait, struct shard_pin *s, bool *redone,
                               struct err *e)
{
    static const struct shard_where data = {.in_wal = false}, wal = {.in_wal = true};
    while (!s->gone && !s->why) {
        int r = shard_pin_recheck(data_fd, wal_fd, s);
        if (r == 0)
            return 0;
        if (r != -ESTALE)
            return give_up(r, s, &data, e);
        *redone = true;
        r = out_of_time(wait);
        if (r < 0)
            return give_up(r, s, &data, e);
        r = window_open_shard(t, data_fd, wal_fd, NULL, wait, s, e);
        if (r < 0)
            return r;
        r = shard_pin_cut_wal(s);
        if (r < 0)
            return give_up(r, s, &wal, e);
    }
    return 0;
}

static int add_parent(struct window *w, const char *path, bool in_wal,
                      const struct folder_seen *folder)
{
    char *own = array_grow(&w->parents, w->nparents) ? strdup(path) : NULL;
    if (!own)
        return -ENOMEM;
    w->parents[w->nparents++] = (struct window_parent){own, in_wal, *folder};
    return 0;
}

static int window_add_closed(struct window *w, int root, bool in_wal, const char *path, int code)
{
    char *own = array_grow(&w->closed, w->nclosed) ? strdup(path) : NULL;
    if (!own)
        return -ENOMEM;
    w->closed[w->nclosed++] = (struct window_closed){own, in_wal, code};
    /* Changes of its permissions must be noticed. */
    struct folder_seen folder = {.seen_ns = time_wall_ns()};
    int r = io_stat_beneath(root, path, &folder.st);
    return r == 0 ? add_parent(w, path, in_wal, &folder) : 0;
}

static int window_add_shard(struct window *w, int root, const char *path, uint64_t id, bool linked)
{
    char *own = array_grow(&w->shards, w->nshards) ? strdup(path) : NULL;
    if (!own)
        return -ENOMEM;
    w->shards[w->nshards++] =
        (struct shard_pin){.path = own, .id = id, .link = linked ? place_link(root, path) : NULL};
    return 0;
}

/* influxd serves it under that number, but would not find it in a snapshot. */
static int window_add_padded(struct window *w, int root, const char *path, uint64_t id)
{
    int r = window_add_shard(w, root, path, id, false);
    char **why = &w->shards[w->nshards - 1].why;
    if (r == 0 && asprintf(why,
                           "data/%s: influxd serves it as shard %" PRIu64
                           ": stop influxd, and rename the folder to %" PRIu64,
                           path, id, id) < 0) {
        *why = NULL;
        r = -ENOMEM;
    }
    return r;
}

enum { LEVEL_ROOT, LEVEL_DB, LEVEL_RP };

static unsigned char type_of(int fd, const struct dir *list, size_t i)
{
    struct stat st;
    unsigned char type = dir_type(list, i);
    if (type != DT_UNKNOWN)
        return type;
    return fstatat(fd, list->names[i], &st, AT_SYMLINK_NOFOLLOW) < 0
               ? DT_UNKNOWN
               : (unsigned char)IFTODT(st.st_mode);
}

/* Walks DATA or WAL down to the shards, as influxd does: databases and policies are folders; a
 * shard's name may also be a link, and in the WAL any name may. Names that vanish meanwhile count
 * as never listed. */
static int window_walk(struct window *w, const struct window_part *part, int root, bool in_wal,
                       const char *path, int level)
{
    struct folder_seen folder;
    autoclose int fd = folder_open(root, path, in_wal ? FOLLOW_ALL : FOLLOW_NONE, &folder);
    if (level > LEVEL_ROOT && (folder_vanished(fd) || fd == -ELOOP))
        return 0;
    if (level > LEVEL_ROOT && fd < 0 && !is_general(fd))
        return window_add_closed(w, root, in_wal, path, fd);
    if (fd < 0)
        return fd;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (level > LEVEL_ROOT && r < 0 && !is_general(r))
        return window_add_closed(w, root, in_wal, path, r);
    if (r == 0)
        r = add_parent(w, path, in_wal, &folder);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const char *name = list.names[i];
        char sub[PATH_MAX];
        uint64_t id;
        unsigned char type = type_of(fd, &list, i);
        bool linked = type == DT_LNK && (in_wal || level == LEVEL_RP);
        if (type != DT_DIR && !linked)
            continue;
        if (snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "/" : "", name) >= (int)sizeof(sub))
            return -ENAMETOOLONG;
        if (!window_part_has(part, sub))
            continue;
        if (level == LEVEL_ROOT && !name_is_hidden(name))
            r = window_walk(w, part, root, in_wal, sub, LEVEL_DB);
        else if (level == LEVEL_DB && !name_is_series(name))
            r = window_walk(w, part, root, in_wal, sub, LEVEL_RP);
        else if (level == LEVEL_RP && !in_wal && name_is_shard(name, &id))
            r = window_add_shard(w, root, sub, id, linked);
        else if (level == LEVEL_RP && !in_wal && name_is_padded_shard(name, &id))
            r = window_add_padded(w, root, sub, id);
    }
    return r;
}

/* Whether the WAL cuts are the state of one instant: nothing was written, no segment begun and no
 * shard made from the first listing to the last cut. */
static bool window_one_instant(const struct window *w, int data_fd, int wal_fd)
{
    for (size_t i = 0; i < w->nparents; i++) {
        const struct window_parent *p = &w->parents[i];
        if (!folder_same(p->in_wal ? wal_fd : data_fd, p->path, &p->folder))
            return false;
    }
    for (size_t i = 0; i < w->nshards; i++) {
        const struct shard_pin *s = &w->shards[i];
        if (s->why)
            continue;
        if (s->gone || !shard_pin_wal_cut_holds(s) ||
            (s->has_wal && !folder_same(wal_fd, s->path, &s->wal)))
            return false;
    }
    return true;
}

/* From the first listing, since segments begun after it are not in the window, to the last cut. */
static int64_t skew(const struct window *w)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < w->nshards; i++) {
        const struct shard_pin *s = &w->shards[i];
        if (s->gone || s->why)
            continue;
        first = s->listed_ns < first ? s->listed_ns : first;
        last = s->wal_cut_ns > last ? s->wal_cut_ns : last;
    }
    return last > first ? last - first : 0;
}

/* The shard of that path in an earlier window, or NULL. Both windows have the same walk order: *k
 * continues from the last match. */
static const struct shard_pin *find_shard(const struct window *w, const char *path, size_t *k)
{
    for (size_t n = w ? w->nshards : 0, tried = 0; tried < n; tried++, ++*k) {
        if (*k >= n)
            *k = 0;
        if (strcmp(w->shards[*k].path, path) == 0)
            return &w->shards[*k];
    }
    return NULL;
}

/* The first look at a store opens all its files, which is the kernel's work, and takes long enough
 * that all processors are worth using. */
#define OPENERS 4              /* threads, at most */
#define SHARDS_OF_AN_OPENER 16 /* at least */

struct opening {
    struct held_table *t;
    int data_fd, wal_fd;
    const struct window_wait *wait;
    struct window *w;
    atomic_size_t next; /* shard */
    atomic_bool failed;
    pthread_mutex_t lock; /* guards: */
    int code;
    struct err why;
};

static void *window_open_some(void *arg)
{
    struct opening *o = arg;
    size_t i;
    while (!atomic_load(&o->failed) && (i = atomic_fetch_add(&o->next, 1)) < o->w->nshards) {
        struct shard_pin *s = &o->w->shards[i];
        struct err why = {""};
        int r = s->why ? 0 : window_open_shard(o->t, o->data_fd, o->wal_fd, NULL, o->wait, s, &why);
        if (r == 0)
            continue;
        lock_scope(&o->lock);
        if (!atomic_exchange(&o->failed, true)) {
            o->code = r;
            o->why = why;
        }
    }
    return NULL;
}

static int window_open_all(struct opening *o, struct err *e)
{
    pthread_t threads[OPENERS];
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t want = o->w->nshards / SHARDS_OF_AN_OPENER, n = 0;
    want = want < OPENERS ? want : OPENERS;
    pthread_mutex_init(&o->lock, NULL);
    while (n + 1 < want && (long)n + 1 < processors &&
           pthread_create(&threads[n], NULL, window_open_some, o) == 0)
        n++;
    window_open_some(o);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    pthread_mutex_destroy(&o->lock);
    if (o->code < 0 && o->why.text[0])
        return err_set(e, o->code, "%s", o->why.text);
    return o->code;
}

/* The shards that have not changed since are taken from before. */
static int window_open_changed(struct held_table *t, int data_fd, int wal_fd,
                               const struct window *before, const struct window_wait *wait,
                               struct window *w, struct err *e)
{
    int r = 0;
    for (size_t i = 0, k = 0; r == 0 && i < w->nshards; i++) {
        const struct shard_pin *was = find_shard(before, w->shards[i].path, &k);
        if (!w->shards[i].why)
            r = window_open_shard(t, data_fd, wal_fd, was, wait, &w->shards[i], e);
    }
    return r;
}

static int window_list(struct window *w, const struct window_part *part, int data_fd, int wal_fd,
                       struct err *e)
{
    int r = window_walk(w, part, data_fd, false, "", LEVEL_ROOT);
    if (r < 0)
        return r == -EMFILE ? held_no_more("the data folder", e)
                            : err_sys(e, r, "listing the data folder");
    if (wal_fd >= 0 && (r = window_walk(w, part, wal_fd, true, "", LEVEL_ROOT)) < 0)
        return r == -EMFILE ? held_no_more("the WAL folder", e)
                            : err_sys(e, r, "listing the WAL folder");
    if (wal_fd < 0 && w->nshards > 0)
        return err_set(e, -EIO, "the data folder holds %zu shards, and there is no WAL folder",
                       w->nshards);
    return 0;
}

static int window_pin(struct held_table *t, int data_fd, int wal_fd, const struct window_part *part,
                      const struct window *before, const struct window_wait *wait, struct window *w,
                      struct err *e)
{
    watch_look(w->watches);
    int r = window_list(w, part, data_fd, wal_fd, e);
    if (r < 0)
        return r;
    struct opening first = {.t = t, .data_fd = data_fd, .wal_fd = wal_fd, .wait = wait, .w = w};
    r = before ? window_open_changed(t, data_fd, wal_fd, before, wait, w, e)
               : window_open_all(&first, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->nshards; i++) {
        r = w->shards[i].why ? 0 : shard_pin_cut_wal(&w->shards[i]);
        if (r == 0)
            continue;
        if ((r = give_up(r, &w->shards[i], &(struct shard_where){.in_wal = true}, e)) < 0)
            return r;
    }
    bool redone = false;
    for (size_t i = 0; i < w->nshards; i++) {
        r = window_settle_shard(t, data_fd, wal_fd, wait, &w->shards[i], &redone, e);
        if (r < 0)
            return r;
    }
    w->skew_ns = redone || !window_one_instant(w, data_fd, wal_fd) ? skew(w) : 0;
    return 0;
}

int window_take_part(struct held_table *t, int data_fd, int wal_fd, const struct window_part *part,
                     const struct window *before, const struct window_wait *wait,
                     struct window *out, struct err *e)
{
    struct window w = {.watches = held_watches(t)};
    int r = window_pin(t, data_fd, wal_fd, part, before, wait, &w, e);
    if (r < 0) {
        window_free(&w);
        return r;
    }
    *out = w;
    return 0;
}

int window_take(struct held_table *t, int data_fd, int wal_fd, const struct window *before,
                const struct window_wait *wait, struct window *out, struct err *e)
{
    return window_take_part(t, data_fd, wal_fd, NULL, before, wait, out, e);
}

int window_unchanged(const struct window *w, int data_fd, int wal_fd)
{
    watch_look(w->watches);
    for (size_t i = 0; i < w->nparents; i++) {
        const struct window_parent *p = &w->parents[i];
        if (!folder_same(p->in_wal ? wal_fd : data_fd, p->path, &p->folder))
            return -ESTALE;
    }
    for (size_t i = 0; i < w->nshards; i++)
        if (!shard_pin_unchanged(w->watches, data_fd, wal_fd, &w->shards[i]))
            return -ESTALE;
    return 0;
}
