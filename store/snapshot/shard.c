/* SPDX-License-Identifier: MIT */
#include "store/snapshot/shard.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* Folder times come from the kernel's clock tick, and some file systems keep whole seconds only: a
 * change within the same tick leaves them as they were, so a folder changed this shortly before it
 * was looked at is not to be trusted. */
#define TICK_NS 20000000
#define COARSE_NS ((int64_t)2100000000)

struct shard_set *shard_set_ref(struct shard_set *set)
{
    atomic_fetch_add(&set->refs, 1);
    return set;
}

void shard_set_unref(struct shard_set *set)
{
    if (!set || atomic_fetch_sub(&set->refs, 1) > 1)
        return;
    for (size_t i = 0; i < set->n; i++)
        held_put(set->files[i].held);
    free(set->files);
    free(set->names);
    free(set);
}

void shard_clear(struct shard *s)
{
    shard_set_unref(s->set);
    for (size_t i = 0; i < s->nsegments; i++)
        held_put(s->segments[i].held);
    free(s->segments);
    free(s->segment_names);
    *s = (struct shard){.path = s->path, .id = s->id};
}

bool shard_vanished(int r)
{
    return r == -ENOENT || r == -ENOTDIR;
}

int folder_open(int root, const char *path, struct folder_seen *out)
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

bool folder_same(int root, const char *path, const struct folder_seen *f)
{
    struct stat st;
    int64_t mtime = io_ts_ns(&f->st.st_mtim);
    /* A time in the future is as good as one in the past: a change would not leave it. */
    int64_t age = f->seen_ns > mtime ? f->seen_ns - mtime : mtime - f->seen_ns;
    if (age < (mtime % 1000000000 ? TICK_NS : COARSE_NS))
        return false;
    return io_stat_beneath(root, path, &st) == 0 && st.st_ino == f->st.st_ino &&
           st.st_dev == f->st.st_dev && io_ts_ns(&st.st_mtim) == mtime &&
           io_ts_ns(&st.st_ctim) == io_ts_ns(&f->st.st_ctim) && st.st_mode == f->st.st_mode &&
           st.st_uid == f->st.st_uid && st.st_gid == f->st.st_gid;
}

static bool same_attr(const struct file_attr *a, const struct file_attr *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid;
}

/* Whether the name still stands for the held file; whole: and that has not changed, either. */
static bool same_file(int fd, const struct shard_file *f, bool whole)
{
    struct stat st;
    if (fstatat(fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !held_is(f->held, &st))
        return false;
    struct file_attr now = file_attr_of(&st);
    return !whole || same_attr(&now, &f->attr);
}

/* Whether the files of an unchanged folder are unchanged themselves: influxd never touches them,
 * but an operator's chown does, or a disk's repair, and the folder does not show it. */
static bool set_same(int data_fd, const char *path, const struct shard_set *set)
{
    autoclose int fd = -1;
    for (size_t i = 0; i < set->n; i++) {
        const struct shard_file *f = &set->files[i];
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
static int hold_files(struct held_table *t, int fd, struct dir *list, wanted_fn *wanted, int how,
                      char **names, struct shard_file **files, size_t *n)
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
            struct shard_file *f = &(*files)[i];
            if (name_is_tombstone(f->name) != (pass == 0))
                continue;
            struct stat st;
            int r = held_get(t, fd, f->name, how, &f->held, &st);
            if (r < 0)
                return r;
            f->attr = file_attr_of(&st);
        }
    }
    return 0;
}

static int hold_set(struct held_table *t, int fd, struct dir *list, int how, struct shard_set **out)
{
    struct shard_set *set = calloc(1, sizeof(*set));
    if (!set)
        return -ENOMEM;
    atomic_init(&set->refs, 1);
    int r = hold_files(t, fd, list, wanted_in_data, how, &set->names, &set->files, &set->n);
    if (r < 0) {
        shard_set_unref(set);
        return r;
    }
    *out = set;
    return 0;
}

static int open_wal(struct held_table *t, int wal_fd, struct shard *s)
{
    s->listed_ns = io_mono_ns();
    autoclose int fd = folder_open(wal_fd, s->path, &s->wal);
    if (shard_vanished(fd))
        return 0;
    if (fd < 0)
        return fd;
    s->has_wal = true;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    return hold_files(t, fd, &list, wanted_in_wal, HELD_AT_HAND, &s->segment_names, &s->segments,
                      &s->nsegments);
}

static int open_data(struct held_table *t, int data_fd, const struct shard *before, struct shard *s)
{
    autoclose int fd = folder_open(data_fd, s->path, &s->data);
    if (shard_vanished(fd)) {
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
    return hold_set(t, fd, &list, before ? 0 : HELD_NEW, &s->set);
}

/* First listing of a shard, spared where the folder is as it was in an earlier window. The WAL is
 * opened after the TSM files, and the cut comes later still; whatever influxd did in between is
 * found by the second listing. */
int shard_open(struct held_table *t, int data_fd, int wal_fd, const struct shard *before,
               struct shard *s)
{
    shard_clear(s);
    if (before && before->set && folder_same(data_fd, s->path, &before->data) &&
        set_same(data_fd, s->path, before->set)) {
        s->data = before->data;
        s->has_index = before->has_index;
        s->index = before->index;
        s->set = shard_set_ref(before->set);
    } else {
        int r = open_data(t, data_fd, before, s);
        if (r < 0)
            return r;
    }
    return s->gone ? 0 : open_wal(t, wal_fd, s);
}

int shard_cut(struct shard *s)
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

static int recheck_data(int data_fd, const struct shard *s)
{
    if (folder_same(data_fd, s->path, &s->data))
        return 0;
    autoclose int fd = io_open_beneath(data_fd, s->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return shard_vanished(fd) ? -ESTALE : fd;
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

/* New segments are welcome: they hold only what came after the cut. */
int shard_recheck(int data_fd, int wal_fd, const struct shard *s)
{
    int r = recheck_data(data_fd, s);
    if (r < 0 || s->nsegments == 0 || folder_same(wal_fd, s->path, &s->wal))
        return r;
    autoclose int fd = io_open_beneath(wal_fd, s->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return shard_vanished(fd) ? -ESTALE : fd;
    for (size_t i = 0; i < s->nsegments; i++)
        if (!same_file(fd, &s->segments[i], false))
            return -ESTALE;
    return 0;
}

bool shard_cut_holds(const struct shard *s)
{
    for (size_t k = 0; k < s->nsegments; k++) {
        struct stat st;
        if (fstat(held_fd(s->segments[k].held), &st) < 0 ||
            (uint64_t)st.st_size != s->segments[k].attr.size)
            return false;
    }
    return true;
}

bool shard_unchanged(int data_fd, int wal_fd, const struct shard *s)
{
    return !s->gone && folder_same(data_fd, s->path, &s->data) &&
           set_same(data_fd, s->path, s->set) &&
           (!s->has_wal || folder_same(wal_fd, s->path, &s->wal)) && shard_cut_holds(s);
}
