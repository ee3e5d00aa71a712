/* SPDX-License-Identifier: MIT */
#include "store/restore/advice.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/influx/tsmfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define META "meta/" NAME_META_DB

static struct manifest_file *find_meta(struct manifest *state)
{
    for (size_t i = 0; i < state->nfiles; i++)
        if (strcmp(state->files[i].name, META) == 0)
            return &state->files[i];
    return NULL;
}

/* Replaces meta.db under its present name, keeping mode, owner and times, also of the folder. It
 * may share its inode with the store's file, so it is not written in place. */
static int advice_replace_meta(int folder, const void *buf, size_t len)
{
    struct stat file, dir;
    if (fstatat(folder, NAME_META_DB, &file, AT_SYMLINK_NOFOLLOW) < 0 || fstat(folder, &dir) < 0)
        return -errno;
    int r = io_replace_file(folder, NAME_META_DB, buf, len, file.st_mode & 0777);
    if (r < 0)
        return r;
    const struct timespec file_times[2] = {{.tv_nsec = UTIME_OMIT}, file.st_mtim};
    const struct timespec dir_times[2] = {{.tv_nsec = UTIME_OMIT}, dir.st_mtim};
    autoclose int fd = openat(folder, NAME_META_DB, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (geteuid() == 0 && fchown(fd, file.st_uid, file.st_gid) < 0) ||
        fchmod(fd, file.st_mode & 0777) < 0 || futimens(fd, file_times) < 0 || fsync(fd) < 0 ||
        futimens(folder, dir_times) < 0 || fsync(folder) < 0)
        return -errno;
    return 0;
}

int advice_census(const struct composed *did, const void *meta, size_t len, int64_t now,
                  struct census *out, struct err *e)
{
    int r = census_take(meta, len, now, out, e);
    if (r < 0 || did->ndatabases == 0)
        return r;
    autofree const char **names = calloc(did->ndatabases, sizeof(*names));
    if (!names)
        return err_sys(e, -ENOMEM, META);
    for (size_t i = 0; i < did->ndatabases; i++)
        names[i] = did->databases[i].name;
    census_limit(out, names, did->ndatabases);
    out->counts = did->counts;
    return 0;
}

/* Reads the result as influxd would: no shard is past its time any more. */
static int check_kept(const struct composed *did, const void *meta, size_t len, int64_t now,
                      struct err *e)
{
    cleanup(census_clear) struct census again = {0};
    int r = advice_census(did, meta, len, now, &again, e);
    return r == 0 && again.nexpired
               ? err_set(e, -EBADMSG, "%s.%s: its duration in meta.db cannot be changed",
                         again.expired[0].db, again.expired[0].rp)
               : r;
}

static int advice_keep_all(const struct advice *a, const char *meta, size_t len, int64_t now,
                           uint64_t *size, int folder, struct err *e)
{
    autofree void *kept = NULL;
    size_t n = 0;
    int r = census_keep(&a->census, meta, len, &kept, &n, e);
    if (r == 0)
        r = check_kept(&a->composed, kept, n, now, e);
    if (r < 0)
        return r;
    r = advice_replace_meta(folder, kept, n);
    if (r < 0)
        return err_sys(e, r, "staging " META);
    *size = n;
    return 0;
}

/* *size: of the staged one, which may change. */
static int advice_look_at_meta(uint64_t *size, int folder, bool keep, struct advice *a,
                               struct err *e)
{
    autofree char *meta = NULL;
    size_t len = 0;
    const int64_t now = time_wall_ns();
    struct err why = {0};
    int r = io_read_file(folder, NAME_META_DB, META_DB_MAX, &meta, &len);
    if (r < 0 && r != -EFBIG)
        return err_sys(e, r, "staging " META);
    r = r < 0 ? err_sys(&why, r, META)
              : advice_census(&a->composed, meta, len, now, &a->census, &why);
    if (r < 0 && !keep) {
        a->unread = true;
        return 0;
    }
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    a->kept = keep && a->census.nexpired;
    return a->kept ? advice_keep_all(a, meta, len, now, size, folder, e) : 0;
}

static int read_staged(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const int *fd = ctx;
    int r = io_pread_all(*fd, buf, n, off);
    return r < 0 ? err_sys(e, r, "staging") : 0;
}

static int add_damaged(struct advice *a, const char *words)
{
    if (!array_grow(&a->damaged, a->ndamaged))
        return -ENOMEM;
    char *copy = strdup(words);
    if (copy)
        a->damaged[a->ndamaged++] = copy;
    return copy ? 0 : -ENOMEM;
}

static bool advice_is_tsm(const char *name)
{
    const char *path;
    return target_kind_of(name, &path) == TARGET_DATA && name_is_tsm(path_last(name));
}

/* The header and the footer of a staged TSM file. */
static int advice_look_at_tsm(const char *name, uint64_t size, int data, struct advice *a,
                              struct err *e)
{
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct err why = {0};
    const char *path;
    target_kind_of(name, &path);
    autoclose int fd = io_open_beneath(data, path, O_RDONLY | O_CLOEXEC);
    const struct source source = {read_staged, &fd, size, name};
    int r = fd < 0 ? err_sys(&why, fd, "staging %s", name) : tsmfile_open(&source, &f, &why);
    if (r == -EBADMSG)
        r = add_damaged(a, why.text);
    return r < 0 ? err_set(e, r, "%s", why.text[0] ? why.text : strerror(-r)) : 0;
}

static int advice_begin(struct advice *a, const char *created, struct err *e)
{
    *a = (struct advice){.created = strdup(created)};
    return a->created ? 0 : err_sys(e, -ENOMEM, "restore");
}

int advice_take(struct manifest *state, const int staged[TARGETS], bool keep, struct composed *did,
                struct advice *out, struct err *e)
{
    cleanup(advice_clear) struct advice a = {0};
    int r = advice_begin(&a, state->created, e);
    if (did) {
        a.composed = *did;
        *did = (struct composed){0};
    }
    struct manifest_file *meta = r == 0 ? find_meta(state) : NULL;
    if (meta)
        r = advice_look_at_meta(&meta->size, staged[TARGET_META], keep, &a, e);
    for (size_t i = 0; r == 0 && i < state->nfiles; i++)
        if (advice_is_tsm(state->files[i].name))
            r = advice_look_at_tsm(state->files[i].name, state->files[i].size, staged[TARGET_DATA],
                                   &a, e);
    if (r < 0)
        return r;
    *out = a;
    a = (struct advice){0};
    return 0;
}

/* The TSM files that are staged as copies, which have one name only. */
static int advice_look_at_copies(const struct cutuse *cut, int data, struct advice *a,
                                 struct err *e)
{
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *f;
    int r = cutuse_stream(cut, &s, e);
    while (r == 0 && (r = cutstream_next(s, &f, e)) == 0 && f) {
        struct stat st;
        const char *path;
        target_kind_of(f->path, &path);
        if (cut_is_folder(f) || !advice_is_tsm(f->path))
            continue;
        if ((r = io_stat_beneath(data, path, &st)) < 0)
            return err_sys(e, r, "staging %s", f->path);
        if (st.st_nlink == 1)
            r = advice_look_at_tsm(f->path, f->attr.size, data, a, e);
    }
    return r;
}

int advice_take_cut(const struct manifest *state, const struct cutuse *cut, bool copies,
                    const int staged[TARGETS], bool keep, struct advice *out, struct err *e)
{
    cleanup(advice_clear) struct advice a = {0};
    struct cut_entry meta = {0};
    int r = advice_begin(&a, state->created, e);
    const int found = r == 0 ? cutuse_find(cut, META, &meta, e) : r;
    if (found == 0)
        r = advice_look_at_meta(&meta.attr.size, staged[TARGET_META], keep, &a, e);
    else if (found != -ENOENT)
        r = found;
    if (r == 0 && copies)
        r = advice_look_at_copies(cut, staged[TARGET_DATA], &a, e);
    if (r < 0)
        return r;
    *out = a;
    a = (struct advice){0};
    return 0;
}

void advice_clear(struct advice *a)
{
    composed_clear(&a->composed);
    census_clear(&a->census);
    free(a->created);
    for (size_t i = 0; i < a->ndamaged; i++)
        free(a->damaged[i]);
    free(a->damaged);
    *a = (struct advice){0};
}

void advice_lines(const struct advice *a, void (*fn)(void *arg, const char *line, bool warning),
                  void *arg)
{
    struct err line = {0};
    composed_lines(&a->composed, fn, arg);
    for (size_t i = 0; i < a->census.nexpired; i++) {
        census_tell_expired(&a->census.expired[i], a->kept, &line);
        fn(arg, line.text, !a->kept);
    }
    for (size_t i = 0; i < a->ndamaged; i++) {
        err_set(&line, 0,
                "%s; it was already damaged when the snapshot was taken; influxd will set it aside",
                a->damaged[i]);
        fn(arg, line.text, true);
    }
    if (a->unread)
        fn(arg, "its meta.db cannot be understood: influxd may not start on it", true);
    if (a->created && census_tell_company(&a->census, a->created, &line))
        fn(arg, line.text, false);
}
