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

/* Folder times come from the kernel's clock tick, and some file systems keep whole seconds only: a
 * change within the same tick leaves them as they were, so a folder changed this shortly before it
 * was looked at is not to be trusted. */
#define TICK_NS 20000000
#define COARSE_NS ((int64_t)2100000000)

struct window_set *window_set_ref(struct window_set *set)
{
    atomic_fetch_add(&set->refs, 1);
    return set;
}

void window_set_unref(struct window_set *set)
{
    if (!set || atomic_fetch_sub(&set->refs, 1) > 1)
        return;
    for (size_t i = 0; i < set->n; i++)
        held_put(set->files[i].held);
    free(set->files);
    free(set->names);
    free(set);
}

static void shard_clear(struct window_shard *s)
{
    window_set_unref(s->set);
    for (size_t i = 0; i < s->nsegments; i++)
        held_put(s->segments[i].held);
    free(s->segments);
    free(s->segment_names);
    *s = (struct window_shard){.path = s->path, .id = s->id};
}

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

static int vanished(int r)
{
    return r == -ENOENT || r == -ENOTDIR;
}

static int open_folder(int root, const char *path, struct window_folder *out)
{
    int64_t seen = io_now_ns();
    int fd = io_open_beneath(root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    if (fstat(fd, &out->st) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    out->seen_ns = seen;
    return fd;
}

/* Whether the folder is as it was when it was listed; false as well if that cannot be told. */
static bool folder_same(int root, const char *path, const struct window_folder *f)
{
    struct stat st;
    int64_t mtime = io_ts_ns(&f->st.st_mtim);
    if (f->seen_ns - mtime < (mtime % 1000000000 ? TICK_NS : COARSE_NS))
        return false;
    return io_stat_beneath(root, path, &st) == 0 && st.st_ino == f->st.st_ino &&
           st.st_dev == f->st.st_dev && io_ts_ns(&st.st_mtim) == mtime &&
           st.st_mode == f->st.st_mode && st.st_uid == f->st.st_uid && st.st_gid == f->st.st_gid;
}

static bool same_attr(const struct file_attr *a, const struct file_attr *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid;
}

/* Whether the name still stands for the held file; whole: and that has not changed, either. */
static bool same_file(int fd, const struct window_file *f, bool whole)
{
    struct stat st;
    if (fstatat(fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !held_is(f->held, &st))
        return false;
    struct file_attr now = file_attr_of(&st);
    return !whole || same_attr(&now, &f->attr);
}

/* Whether the files of an unchanged folder are unchanged themselves: influxd never touches them,
 * but an operator's chown does, or a disk's repair, and the folder does not show it. */
static bool set_same(int data_fd, const char *path, const struct window_set *set)
{
    autoclose int fd = -1;
    for (size_t i = 0; i < set->n; i++) {
        const struct window_file *f = &set->files[i];
        struct stat st;
        int r = held_stat(f->held, &st);
        if (r == 0) {
            struct file_attr now = file_attr_of(&st);
            if (same_attr(&now, &f->attr))
                continue;
            return false;
        }
        if (fd < 0)
            fd = io_open_beneath(data_fd, path, O_PATH | O_DIRECTORY);
        if (fd < 0 || !same_file(fd, f, true))
            return false;
    }
    return true;
}

/* A tombstone without its TSM file is an orphan that influxd ignores. */
static bool wanted_in_data(const struct dir *list, const char *name)
{
    if (name_is_tsm(name))
        return true;
    char tsm[NAME_MAX + 1];
    return name_tsm_of(name, tsm) && dir_find(list, tsm) >= 0;
}

static bool wanted_in_wal(const struct dir *list, const char *name)
{
    (void)list;
    return name_is_wal(name);
}

typedef bool wanted_fn(const struct dir *list, const char *name);

static size_t count_wanted(const struct dir *list, wanted_fn *wanted)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += wanted(list, list->names[i]);
    return n;
}

/* Holds the wanted files of a folder and keeps its names. Tombstones go first: influxd unlinks a
 * TSM file before its tombstone, so a tombstone missed would bring deleted points back. */
static int hold_files(struct held_table *t, int fd, struct dir *list, wanted_fn *wanted,
                      char **names, struct window_file **files, size_t *n)
{
    *n = 0;
    *files = calloc(count_wanted(list, wanted) + 1, sizeof(**files));
    if (!*files)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        if (wanted(list, list->names[i]))
            (*files)[(*n)++].name = list->names[i];
    *names = steal_ptr(&list->arena);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < *n; i++) {
            struct window_file *f = &(*files)[i];
            if (name_is_tombstone(f->name) != (pass == 0))
                continue;
            struct stat st;
            int r = held_get(t, fd, f->name, name_is_wal(f->name), &f->held, &st);
            if (r < 0)
                return r;
            f->attr = file_attr_of(&st);
        }
    }
    return 0;
}

static int hold_set(struct held_table *t, int fd, struct dir *list, struct window_set **out)
{
    struct window_set *set = calloc(1, sizeof(*set));
    if (!set)
        return -ENOMEM;
    atomic_init(&set->refs, 1);
    int r = hold_files(t, fd, list, wanted_in_data, &set->names, &set->files, &set->n);
    if (r < 0) {
        window_set_unref(set);
        return r;
    }
    *out = set;
    return 0;
}

static int open_wal(struct held_table *t, int wal_fd, struct window_shard *s)
{
    autoclose int fd = open_folder(wal_fd, s->path, &s->wal);
    if (vanished(fd))
        return 0;
    if (fd < 0)
        return fd;
    s->has_wal = true;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    return hold_files(t, fd, &list, wanted_in_wal, &s->segment_names, &s->segments, &s->nsegments);
}

static int open_data(struct held_table *t, int data_fd, struct window_shard *s)
{
    autoclose int fd = open_folder(data_fd, s->path, &s->data);
    if (vanished(fd)) {
        s->gone = true;
        return 0;
    }
    if (fd < 0)
        return fd;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    struct stat st;
    if (dir_find(&list, NAME_INDEX) >= 0 &&
        fstatat(fd, NAME_INDEX, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        s->has_index = S_ISDIR(st.st_mode);
        s->index = file_attr_of(&st);
    }
    return hold_set(t, fd, &list, &s->set);
}

/* First listing of a shard, spared where the folder is as it was in an earlier window. The WAL is
 * opened after the TSM files, and the cut comes later still; whatever influxd did in between is
 * found by the second listing. */
static int shard_open(struct held_table *t, int data_fd, int wal_fd,
                      const struct window_shard *before, struct window_shard *s)
{
    shard_clear(s);
    if (before && before->set && folder_same(data_fd, s->path, &before->data) &&
        set_same(data_fd, s->path, before->set)) {
        s->data = before->data;
        s->has_index = before->has_index;
        s->index = before->index;
        s->set = window_set_ref(before->set);
    } else {
        int r = open_data(t, data_fd, s);
        if (r < 0)
            return r;
    }
    return s->gone ? 0 : open_wal(t, wal_fd, s);
}

/* The cut. Sizes only: no path is looked up, so that all shards are cut as close together as can
 * be. */
static int shard_cut(struct window_shard *s)
{
    s->cut_ns = io_mono_ns();
    for (size_t i = 0; i < s->nsegments; i++) {
        struct stat st;
        if (fstat(held_fd(s->segments[i].held), &st) < 0)
            return -errno;
        s->segments[i].attr = file_attr_of(&st);
    }
    return 0;
}

static int recheck_data(int data_fd, const struct window_shard *s)
{
    if (folder_same(data_fd, s->path, &s->data))
        return 0;
    autoclose int fd = io_open_beneath(data_fd, s->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return vanished(fd) ? -ESTALE : fd;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    if (count_wanted(&list, wanted_in_data) != s->set->n)
        return -ESTALE;
    for (size_t i = 0; i < s->set->n; i++)
        if (!same_file(fd, &s->set->files[i], true))
            return -ESTALE;
    return 0;
}

/* Second listing: the TSM files and tombstones must be the same set, and no WAL segment may have
 * gone. New segments are welcome: they hold only what came after the cut. */
static int shard_recheck(int data_fd, int wal_fd, const struct window_shard *s)
{
    int r = recheck_data(data_fd, s);
    if (r < 0 || s->nsegments == 0 || folder_same(wal_fd, s->path, &s->wal))
        return r;
    autoclose int fd = io_open_beneath(wal_fd, s->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return vanished(fd) ? -ESTALE : fd;
    for (size_t i = 0; i < s->nsegments; i++)
        if (!same_file(fd, &s->segments[i], false))
            return -ESTALE;
    return 0;
}

static int out_of_time(const struct window_wait *wait)
{
    if (wait->interrupted && wait->interrupted(wait->ctx))
        return -EINTR;
    return io_mono_ns() >= wait->deadline_ns ? -EAGAIN : 0;
}

static int explain(int r, const struct window_shard *s, struct err *e)
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
    default:
        return err_sys(e, r, "shard %s", s->path);
    }
}

/* Opens one shard until its first listing holds; what vanishes in between is tried again. */
static int shard_open_retry(struct held_table *t, int data_fd, int wal_fd,
                            const struct window_shard *before, const struct window_wait *wait,
                            struct window_shard *s, struct err *e)
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
                        const struct window_wait *wait, struct window_shard *s, bool *redone,
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
                      const struct window_folder *folder)
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
    struct window_shard *s = &w->shards[w->nshards];
    *s = (struct window_shard){.path = strdup(path), .id = id};
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
    struct window_folder folder;
    autoclose int fd = open_folder(root, path, &folder);
    if (level > LEVEL_ROOT && (vanished(fd) || fd == -ELOOP))
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

static bool cuts_still_hold(const struct window *w)
{
    for (size_t i = 0; i < w->nshards; i++) {
        const struct window_shard *s = &w->shards[i];
        for (size_t k = 0; k < s->nsegments; k++) {
            struct stat st;
            if (fstat(held_fd(s->segments[k].held), &st) < 0 ||
                (uint64_t)st.st_size != s->segments[k].attr.size)
                return false;
        }
    }
    return true;
}

static int64_t skew(const struct window *w)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < w->nshards; i++) {
        const struct window_shard *s = &w->shards[i];
        if (s->gone)
            continue;
        first = s->cut_ns < first ? s->cut_ns : first;
        last = s->cut_ns > last ? s->cut_ns : last;
    }
    return last > first ? last - first : 0;
}

/* The shard of that path in an earlier window, or NULL. Shards are asked for in the order of the
 * walk, which both windows have: *k goes on from where the last one was found. */
static const struct window_shard *find_shard(const struct window *w, const char *path, size_t *k)
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
        const struct window_shard *was = find_shard(before, w->shards[i].path, &k);
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
    /* If no shard changed and no segment grew from the first cut to the last, all the cuts are the
     * state of one instant between them. */
    w->skew_ns = redone || !cuts_still_hold(w) ? skew(w) : 0;
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
    for (size_t i = 0; i < w->nshards; i++) {
        const struct window_shard *s = &w->shards[i];
        if (s->gone || !folder_same(data_fd, s->path, &s->data) ||
            !set_same(data_fd, s->path, s->set) ||
            (s->has_wal && !folder_same(wal_fd, s->path, &s->wal)))
            return -ESTALE;
    }
    return cuts_still_hold(w) ? 0 : -ESTALE;
}
