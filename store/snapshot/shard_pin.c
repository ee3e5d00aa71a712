/* SPDX-License-Identifier: MIT */
#include "store/snapshot/shard_pin.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct shard_set *shard_set_ref(struct shard_set *set)
{
    atomic_fetch_add(&set->refs, 1);
    return set;
}

void shard_set_unref(struct shard_set *set)
{
    if (!set || atomic_fetch_sub(&set->refs, 1) > 1)
        return;
    run_unref(set->run);
    free(set->bad);
    free(set);
}

void shard_pin_clear(struct shard_pin *s)
{
    shard_set_unref(s->set);
    for (size_t i = 0; i < s->nsegments; i++)
        held_put(s->segments[i].held);
    free(s->segments);
    free(s->segment_names);
    run_unref(s->wal_run);
    free(s->wal_link);
    free(s->why);
    *s = (struct shard_pin){.path = s->path, .id = s->id, .link = s->link};
}

void shard_pin_free(struct shard_pin *s)
{
    shard_pin_clear(s);
    free(s->path);
    free(s->link);
}

int shard_pin_names(const struct shard_pin *s, char **db, char **rp)
{
    const char *slash = strchr(s->path, '/'), *last = strrchr(s->path, '/');
    *db = strndup(s->path, (size_t)(slash - s->path));
    *rp = strndup(slash + 1, (size_t)(last - slash - 1));
    return *db && *rp ? 0 : -ENOMEM;
}

static bool same_attr(const struct stat *st, const struct file_attr *b)
{
    const struct file_attr a = file_attr_of(st);
    return a.size == b->size && a.mtime_ns == b->mtime_ns && a.mode == b->mode && a.uid == b->uid &&
           a.gid == b->gid;
}

/* Whether the name still refers to the held file. */
static bool same_file(int fd, const char *name, const struct held *held, struct stat *st)
{
    return fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW) == 0 && held_is(held, st);
}

/* Whether the files of an unchanged folder are unchanged: influxd never touches them, but an
 * operator's chown or a disk repair may, without a trace in the folder. Each is looked at, until the
 * folder is watched. */
static bool pin_set_same(struct watches *w, int data_fd, const struct shard_pin *s)
{
    struct shard_set *set = s->set;
    if (set->n == 0 || watch_is_quiet(w, &set->watch))
        return true;
    struct stat st;
    autoclose int fd = folder_open_by(data_fd, s->path, s->data.follow, O_RDONLY);
    const bool is_ours = fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == s->data.st.st_ino &&
                         st.st_dev == s->data.st.st_dev;
    set->watch = is_ours ? watch_begin(w, fd) : (struct watch){0};
    for (size_t i = 0; i < set->n; i++) {
        const struct member *f = &set->files[i];
        if (fstat(held_fd(f->held), &st) < 0 || !same_attr(&st, &f->attr)) {
            set->watch = (struct watch){0};
            return false;
        }
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

/* A folder whose files are to be held. */
struct holding {
    struct held_table *table;
    int fd;
    bool fresh; /* most likely none of them is held yet */
    struct shard_where *where;
};

static int pin_hold(const struct holding *h, const char *name, struct held **held,
                    struct file_attr *attr)
{
    struct stat st;
    int r = held_get(h->table, h->fd, name, h->fresh, held, &st);
    if (r < 0)
        snprintf(h->where->file, sizeof(h->where->file), "%s", name);
    else
        *attr = file_attr_of(&st);
    return r;
}

/* Tombstones go first: influxd unlinks a TSM file before its tombstone, so a missed tombstone would
 * bring deleted points back. */
static int pin_hold_files(const struct holding *h, const struct shard_set *set)
{
    int r = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; r == 0 && i < set->n; i++)
            if (name_is_tombstone(set->files[i].name) == (pass == 0))
                r = pin_hold(h, set->files[i].name, &set->files[i].held, &set->files[i].attr);
    return r;
}

/* Records files that influxd has set aside. The names stay valid when the list's arena is taken. */
static int pin_find_bad(int fd, const struct dir *list, struct shard_set *set)
{
    for (size_t i = 0; i < list->n; i++) {
        struct stat st;
        if (!name_is_bad_tsm(list->names[i]) ||
            fstatat(fd, list->names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (!array_grow(&set->bad, set->nbad))
            return -ENOMEM;
        set->bad[set->nbad++] = (struct shard_bad){list->names[i], (uint64_t)st.st_size};
    }
    return 0;
}

/* The wanted files of the folder, whose names it keeps, and index/. */
static int pin_hold_set(const struct holding *h, const struct shard_pin *s, struct dir *list,
                        const struct file_attr *index, struct shard_set **out)
{
    const struct file_attr folder = file_attr_of(&s->data.st);
    struct shard_set *set = calloc(1, sizeof(*set));
    if (!set)
        return -ENOMEM;
    atomic_init(&set->refs, 1);
    set->run = run_new("data", s->path, &folder, count_wanted(list, wanted_in_data) + s->has_index);
    int r = set->run ? pin_find_bad(h->fd, list, set) : -ENOMEM;
    if (r < 0) {
        shard_set_unref(set);
        return r;
    }
    set->files = &set->run->members[1];
    for (size_t i = 0; i < list->n; i++)
        if (wanted_in_data(list, list->names[i]))
            run_add(set->run, list->names[i]);
    set->n = set->run->n - 1;
    set->run->names = steal_ptr(&list->arena);
    if (s->has_index)
        run_add(set->run, NAME_INDEX)->attr = *index;
    r = pin_hold_files(h, set);
    if (r < 0)
        shard_set_unref(set);
    else
        *out = set;
    return r;
}

/* The segments as an earlier pin of the unchanged folder has them. */
static int pin_take_segments(const struct shard_pin *before, struct shard_pin *s)
{
    size_t len = 1;
    for (size_t i = 0; i < before->nsegments; i++)
        len += strlen(before->segments[i].name) + 1;
    char *at = s->segment_names = malloc(len);
    s->segments = calloc(before->nsegments + 1, sizeof(*s->segments));
    if (!at || !s->segments)
        return -ENOMEM;
    for (size_t i = 0; i < before->nsegments; i++) {
        const struct shard_file *f = &before->segments[i];
        s->segments[i] = (struct shard_file){at, held_ref(f->held), f->attr};
        at = stpcpy(at, f->name) + 1;
        s->nsegments++;
    }
    s->wal = before->wal;
    s->has_wal = true;
    s->wal_run = before->wal_run ? run_ref(before->wal_run) : NULL;
    return 0;
}

static int pin_hold_segments(const struct holding *h, struct dir *list, struct shard_pin *s)
{
    int r = 0;
    s->segments = calloc(count_wanted(list, wanted_in_wal) + 1, sizeof(*s->segments));
    if (!s->segments)
        return -ENOMEM;
    s->segment_names = steal_ptr(&list->arena);
    for (size_t i = 0; r == 0 && i < list->n; i++) {
        struct shard_file *f = &s->segments[s->nsegments];
        if (!wanted_in_wal(list, list->names[i]))
            continue;
        f->name = list->names[i];
        r = pin_hold(h, f->name, &f->held, &f->attr);
        s->nsegments += r == 0;
    }
    return r;
}

static int pin_open_wal(struct held_table *t, int wal_fd, const struct shard_pin *before,
                        struct shard_pin *s, struct shard_where *where)
{
    s->listed_ns = time_mono_ns();
    if (before && before->has_wal && !before->wal_link &&
        folder_same(wal_fd, s->path, &before->wal))
        return pin_take_segments(before, s);
    autoclose int fd = folder_open(wal_fd, s->path, FOLLOW_NONE, &s->wal);
    if (fd == -ELOOP || fd == -ENOTDIR) {
        fd = folder_open(wal_fd, s->path, FOLLOW_ALL, &s->wal);
        if (fd >= 0 && !(s->wal_link = place_link(wal_fd, s->path)))
            return -ENOENT;
        if (fd == -ENOENT || fd == -ELOOP) /* it leads nowhere: influxd cannot open such a shard */
            return -ENOTDIR;
    }
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    s->has_wal = true;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    const struct holding h = {t, fd, false, where};
    return pin_hold_segments(&h, &list, s);
}

/* Whether a link to a shard still leads to the same place. */
static bool link_same(int data_fd, const struct shard_pin *s)
{
    autofree char *now = s->link ? place_link(data_fd, s->path) : NULL;
    return !s->link || (now && strcmp(now, s->link) == 0);
}

static int pin_open_data(struct held_table *t, int data_fd, const struct shard_pin *before,
                         struct shard_pin *s, struct shard_where *where)
{
    autoclose int fd = folder_open(data_fd, s->path, s->link ? FOLLOW_LAST : FOLLOW_NONE, &s->data);
    bool nowhere = folder_vanished(fd) || fd == -ELOOP;
    if (nowhere && s->link && link_same(data_fd, s))
        return -ENOTDIR;
    if (nowhere) {
        s->gone = true;
        return 0;
    }
    if (fd < 0)
        return fd;
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    struct stat st = {0};
    s->has_index = dir_find(&list, NAME_INDEX) >= 0 && fstatat(fd, NAME_INDEX, &st, 0) == 0 &&
                   S_ISDIR(st.st_mode);
    const struct file_attr index = file_attr_of(&st);
    const struct holding h = {t, fd, !before, where};
    return pin_hold_set(&h, s, &list, &index, &s->set);
}

/* The WAL is opened after the TSM files, and its cut comes later still; the second listing finds
 * changes in between. */
int shard_pin_open(struct held_table *t, int data_fd, int wal_fd, const struct shard_pin *before,
                   struct shard_pin *s, struct shard_where *where)
{
    shard_pin_clear(s);
    *where = (struct shard_where){.in_wal = false};
    if (before && before->set && link_same(data_fd, before) && !before->link == !s->link &&
        folder_same(data_fd, s->path, &before->data) &&
        pin_set_same(held_watches(t), data_fd, before)) {
        s->data = before->data;
        s->has_index = before->has_index;
        s->set = shard_set_ref(before->set);
    } else {
        int r = pin_open_data(t, data_fd, before, s, where);
        if (r < 0)
            return r;
    }
    where->in_wal = true;
    return s->gone || (before && before->data_only) ? 0 : pin_open_wal(t, wal_fd, before, s, where);
}

int shard_pin_cut_wal(struct shard_pin *s)
{
    bool same = true;
    s->wal_cut_ns = time_mono_ns();
    for (size_t i = 0; i < s->nsegments; i++) {
        struct stat st;
        int r = io_stat_fresh(held_fd(s->segments[i].held), "", &st);
        if (r < 0)
            return r;
        same = same && same_attr(&st, &s->segments[i].attr);
        s->segments[i].attr = file_attr_of(&st);
    }
    if (!same) {
        run_unref(s->wal_run);
        s->wal_run = NULL;
    }
    return 0;
}

static int pin_recheck_data(int data_fd, const struct shard_pin *s)
{
    if (!link_same(data_fd, s))
        return -ESTALE;
    if (folder_same(data_fd, s->path, &s->data))
        return 0;
    if (s->set->run->holds != RUN_LISTED)
        return -ESTALE;
    autoclose int fd = folder_open_by(data_fd, s->path, s->data.follow, O_RDONLY);
    if (fd < 0)
        return folder_vanished(fd) || fd == -ELOOP ? -ESTALE : fd;
    cleanup(dir_free) struct dir list = {0};
    struct stat st;
    int r = dir_read(fd, &list);
    if (r < 0)
        return r;
    if (count_wanted(&list, wanted_in_data) != s->set->n)
        return -ESTALE;
    for (size_t i = 0; i < s->set->n; i++)
        if (!same_file(fd, s->set->files[i].name, s->set->files[i].held, &st) ||
            !same_attr(&st, &s->set->files[i].attr))
            return -ESTALE;
    return 0;
}

/* New segments are welcome: they hold only what came after the WAL cut. */
int shard_pin_recheck(int data_fd, int wal_fd, const struct shard_pin *s)
{
    int r = pin_recheck_data(data_fd, s);
    if (r < 0 || s->nsegments == 0 || folder_same(wal_fd, s->path, &s->wal))
        return r;
    autoclose int fd = folder_open_by(wal_fd, s->path, s->wal.follow, O_RDONLY);
    if (fd < 0)
        return folder_vanished(fd) || fd == -ELOOP ? -ESTALE : fd;
    for (size_t i = 0; i < s->nsegments; i++) {
        struct stat st;
        if (!same_file(fd, s->segments[i].name, s->segments[i].held, &st))
            return -ESTALE;
    }
    return 0;
}

bool shard_pin_wal_cut_holds(const struct shard_pin *s)
{
    for (size_t k = 0; k < s->nsegments; k++) {
        struct stat st;
        if (io_stat_fresh(held_fd(s->segments[k].held), "", &st) < 0 ||
            (uint64_t)st.st_size != s->segments[k].attr.size ||
            time_from_spec(&st.st_mtim) != s->segments[k].attr.mtime_ns)
            return false;
    }
    return true;
}

bool shard_pin_unchanged(struct watches *w, int data_fd, int wal_fd, const struct shard_pin *s)
{
    return !s->gone && !s->why && link_same(data_fd, s) &&
           folder_same(data_fd, s->path, &s->data) && pin_set_same(w, data_fd, s) &&
           (!s->has_wal || folder_same(wal_fd, s->path, &s->wal)) && shard_pin_wal_cut_holds(s);
}
