/* SPDX-License-Identifier: MIT */
#include "store/restore/stage_fill.h"

#include "store/base/cleanup.h"
#include "store/base/copying.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/rmtree.h"
#include "store/base/time.h"
#include "store/influx/written.h"
#include "store/restore/chain_order.h"
#include "store/restore/stage_impl.h"
#include "store/restore/store_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Copies `theirs` of the folder `from` as `base` of s->parent. */
static int fill_copy(const struct stage *s, enum target_kind kind, const char *base, int from,
                     const char *theirs, const struct stat *st)
{
    autoclose int in = openat(from, theirs, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int out = in < 0 ? -1
                               : openat(s->parent, base,
                                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return -errno;
    int r = copying_file(in, out);
    if (r < 0)
        return r;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
    if ((s->uid[kind] != (uid_t)-1 && fchown(out, s->uid[kind], s->gid[kind]) < 0) ||
        fchmod(out, st->st_mode & 0777) < 0 || futimens(out, times) < 0)
        return -errno;
    return io_close(&out);
}

static int fill_link(struct stage *s, const char *name, int from, const char *theirs)
{
    struct stat st;
    const char *path, *base = path_last(name);
    enum target_kind kind = target_kind_of(name, &path);
    int r = stage_parent(s, name);
    if (r < 0)
        return r;
    if (fstatat(from, theirs, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -ESTALE;
    if (unlinkat(s->parent, base, 0) < 0 && errno != ENOENT)
        return -errno;
    bool ours =
        s->uid[kind] == (uid_t)-1 ||
        (st.st_uid == s->uid[kind] && (s->gid[kind] == (gid_t)-1 || st.st_gid == s->gid[kind]));
    r = !ours ? -EPERM : linkat(from, theirs, s->parent, base, 0) < 0 ? -errno : 0;
    return copying_instead(r) ? fill_copy(s, kind, base, from, theirs, &st) : r;
}

int stage_fill_file(struct stage *s, const char *name, int folder, const char *from, struct err *e)
{
    int r = fill_link(s, name, folder, from);
    return r < 0 ? err_sys(e, r, "staging %s", name) : 0;
}

static int open_parent(int fd, const char *path)
{
    autofree char *up = strdup(path);
    if (!up)
        return -ENOMEM;
    path_up(up);
    return io_open_beneath(fd, up, O_RDONLY | O_DIRECTORY);
}

/* The same for the file of that name in three other folders. */
static int fill_file(struct stage *s, const char *name, const int from[TARGETS], struct err *e)
{
    const char *path;
    enum target_kind kind = target_kind_of(name, &path);
    autoclose int dir = from[kind] < 0 ? -ENOENT : open_parent(from[kind], path);
    return dir < 0 ? err_sys(e, dir, "staging %s", name)
                   : stage_fill_file(s, name, dir, path_last(name), e);
}

static bool is_staged(const void *ctx, const char *path, const struct statx *st)
{
    char whole[PATH_MAX];
    int n = snprintf(whole, sizeof(whole), "%s%s%s", (const char *)ctx, *path ? "/" : "", path);
    return n < (int)sizeof(whole) && written_by_influxd(whole, st->stx_mode);
}

/* Drops the notes on this folder and on folders in it. */
static void void_notes(struct stage *s, const char *name)
{
    for (size_t i = 0; i < s->nfolders; i++)
        if (path_below(s->folders[i].name, name))
            s->folders[i].note = FOLDER_REMOVED;
}

/* Removes a staged file, or a folder with all that influxd would write in it; other things stay. A
 * missing one is success. */
static int fill_remove(struct stage *s, const char *name, struct err *e)
{
    const char *path;
    enum target_kind kind = target_kind_of(name, &path);
    autoclose int dir = open_parent(s->fds[kind], path);
    if (dir == -ENOENT || !*path)
        return 0;
    if (s->parent >= 0 && path_below(s->parent_name, name)) {
        cleanup_close(&s->parent);
        s->parent = -1;
    }
    const struct rmtree_of staged = {is_staged, name};
    int r = dir < 0 ? dir : rmtree(dir, path_last(path), &staged, NULL, e);
    if (r == 0)
        void_notes(s, name);
    /* 1: it holds something else, which goes where the store goes. */
    return r < 0 ? err_sys(e, r, "staging: %s cannot be removed", name) : 0;
}

/* Makes it writable until the end, whatever its mode. */
static int fill_adopt_folder(struct stage *s, int fd, const char *name)
{
    struct stat st;
    cleanup(dir_free) struct dir list = {0};
    if (fstat(fd, &st) < 0 || fchmod(fd, st.st_mode | 0700) < 0)
        return -errno;
    int r = stage_note(s, FOLDER_GIVEN, name, st.st_mode & 0777, time_from_spec(&st.st_mtim));
    if (r == 0)
        r = dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        if (dir_type(&list, i) != DT_DIR && dir_type(&list, i) != DT_UNKNOWN)
            continue;
        autofree char *path = NULL;
        autoclose int below = io_open_beneath(fd, list.names[i], O_RDONLY | O_DIRECTORY);
        if (below == -ENOTDIR)
            continue;
        if (below < 0)
            return below;
        r = asprintf(&path, "%s/%s", name, list.names[i]) < 0 ? -ENOMEM
                                                              : fill_adopt_folder(s, below, path);
    }
    return r;
}

/* Takes over what another stage left in these folders, as if staged with their present modes and
 * times. */
static int fill_adopt(struct stage *s, struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        const char *name = target_kind_name((enum target_kind)i);
        int r = fill_adopt_folder(s, s->fds[i], name);
        if (r < 0)
            return err_sys(e, r, "staging %s", name);
    }
    return 0;
}

struct fill {
    struct stage *stage;
    struct err *e;
};

static int fill_folder(void *arg, const char *name, const struct stat *st)
{
    const struct fill *f = arg;
    if (!S_ISDIR(st->st_mode))
        return 0;
    return stage_folder(f->stage, name, st->st_mode & 0777, time_from_spec(&st->st_mtim), f->e);
}

static bool outlives(const char *name, const struct increment *const run[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (chain_order_changes(run[i]->m, name))
            return false;
    return true;
}

/* All folders of the store, and the files that no increment of the run removes or replaces. */
static int fill_from_store(struct stage *s, const struct targets *t, const struct manifest *base,
                           const struct increment *const run[], size_t n, struct err *e)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    struct err why = {0};
    struct fill f = {s, &why};
    int r = targets_open_store(t, fds, e);
    if (r < 0)
        return r;
    r = store_walk(fds, fill_folder, &f);
    if (r < 0)
        err_set(e, r, "%s", why.text[0] ? why.text : "the store's folders cannot be read");
    for (size_t i = 0; r == 0 && i < base->nfiles; i++)
        if (outlives(base->files[i].name, run, n))
            r = fill_file(s, base->files[i].name, fds, e);
    return r;
}

static int fill_from_increment(struct stage *s, const struct increment *n, const int from[TARGETS],
                               struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n->m->nremoved; i++)
        r = fill_remove(s, n->m->removed[i], e);
    for (size_t i = 0; r == 0 && i < n->m->nremoved_folders; i++)
        r = fill_remove(s, n->m->removed_folders[i], e);
    for (size_t i = 0; r == 0 && i < n->nfolders; i++)
        r = stage_folder(s, n->folders[i].name, n->folders[i].mode, n->folders[i].mtime_ns, e);
    for (size_t i = 0; r == 0 && i < n->m->nfiles; i++)
        r = fill_file(s, n->m->files[i].name, from, e);
    return r;
}

int stage_fill(struct stage *s, const struct targets *t, const struct manifest *base,
               const struct increment *const run[], size_t n, struct err *e)
{
    int r = base ? fill_from_store(s, t, base, run, n, e) : fill_adopt(s, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
        r = increment_open(t, run[i], fds, e);
        if (r == 0)
            r = fill_from_increment(s, run[i], fds, e);
    }
    return r;
}
