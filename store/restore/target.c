/* SPDX-License-Identifier: MIT */
#include "store/restore/target.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/rmtree.h"
#include "store/influx/names.h"
#include "store/influx/written.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

static const char *const kind_names[TARGETS] = {"meta", "data", "wal"};
static const char *const side_names[SIDES] = {
    [SIDE_NEW] = "restoring",
    [SIDE_KEPT] = "before-restore",
    [SIDE_KEPT_TMP] = "before-restore.tmp",
    [SIDE_TRASH] = "before-restore.old",
    [SIDE_INCOMING] = "incoming",
    [SIDE_PENDING] = "pending",
    [SIDE_SETS] = "sets",
};

const char *target_kind_name(enum target_kind kind)
{
    return kind_names[kind];
}

enum target_kind target_kind_of(const char *name, const char **path)
{
    const char *slash = strchrnul(name, '/');
    *path = *slash ? slash + 1 : slash;
    return *name == 'm' ? TARGET_META : *name == 'd' ? TARGET_DATA : TARGET_WAL;
}

bool target_by_contents(const struct target *t)
{
    return t->kind == TARGET_META || t->inside;
}

bool target_is_own_entry(const struct target *t, const char *name)
{
    if (strcmp(name, TARGET_HOME) == 0 || strcmp(name, "lost+found") == 0)
        return true;
    return t->kind == TARGET_META &&
           (strcmp(name, "raft.db") == 0 || strcmp(name, "raft.db.tmp") == 0);
}

int target_unit(const struct target *t, enum target_side side, char out[NAME_MAX + 1])
{
    int n = t->inside ? snprintf(out, NAME_MAX + 1, "%s", side_names[side])
                      : snprintf(out, NAME_MAX + 1, "%s.%s", t->name, side_names[side]);
    return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

char *target_side_path(const struct target *t, enum target_side side)
{
    char *out = NULL;
    int n = t->inside ? asprintf(&out, "%s/" TARGET_HOME "/%s/%s", t->path, side_names[side],
                                 kind_names[t->kind])
                      : asprintf(&out, "%s.%s", t->path, side_names[side]);
    return n < 0 ? NULL : out;
}

/* mkdir with the owner of the target's files; an existing folder stays as it is. */
static int make_folder(const struct target *t, int dirfd, const char *name, mode_t mode)
{
    if (mkdirat(dirfd, name, mode) < 0)
        return errno == EEXIST ? 0 : -errno;
    if (t->uid != (uid_t)-1 && fchownat(dirfd, name, t->uid, t->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

int target_open_folder(const struct target *t)
{
    return t->parent < 0 ? -ENOENT : io_open_beneath(t->parent, t->name, O_RDONLY | O_DIRECTORY);
}

int target_open_home(const struct target *t, bool make)
{
    if (t->parent < 0)
        return -ENOENT;
    if (!t->inside)
        return io_open_beneath(t->parent, "", O_RDONLY | O_DIRECTORY);
    autoclose int self = target_open_folder(t);
    if (self < 0)
        return self;
    int r = make ? make_folder(t, self, TARGET_HOME, 0700) : 0;
    return r < 0 ? r : io_open_beneath(self, TARGET_HOME, O_RDONLY | O_DIRECTORY);
}

/* The home, and the unit's name in it. */
static int target_find_unit(const struct target *t, enum target_side side, bool make,
                            char unit[NAME_MAX + 1])
{
    int r = target_unit(t, side, unit);
    return r < 0 ? r : target_open_home(t, make);
}

/* Opens the unit itself, not what is one level down. */
static int target_open_unit(const struct target *t, enum target_side side, int *home)
{
    char unit[NAME_MAX + 1];
    autoclose int h = target_find_unit(t, side, false, unit);
    if (h < 0)
        return h;
    int fd = io_open_beneath(h, unit, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 && home)
        *home = steal_fd(&h);
    return fd;
}

int target_open_side(const struct target *t, enum target_side side)
{
    autoclose int fd = target_open_unit(t, side, NULL);
    if (fd < 0)
        return fd;
    return t->inside ? io_open_beneath(fd, kind_names[t->kind], O_RDONLY | O_DIRECTORY)
                     : steal_fd(&fd);
}

int target_make_side(const struct target *t, enum target_side side, mode_t mode)
{
    char unit[NAME_MAX + 1];
    autoclose int home = target_find_unit(t, side, true, unit);
    int r = home < 0 ? home : make_folder(t, home, unit, mode);
    if (r < 0)
        return r;
    if (t->inside) {
        autoclose int fd = io_open_beneath(home, unit, O_RDONLY | O_DIRECTORY);
        r = fd < 0 ? fd : make_folder(t, fd, kind_names[t->kind], mode);
        if (r == 0)
            r = io_sync_dir(fd);
    }
    return r < 0 ? r : io_sync_dir(home);
}

/* Whether the store has it too, at this path: that very file, or a folder. */
static bool target_shares(const struct target *t, const char *path, const struct statx *st)
{
    struct stat own;
    autoclose int self = target_open_folder(t);
    if (self < 0 || io_stat_beneath(self, path, &own) < 0)
        return false;
    return S_ISDIR(st->stx_mode) ? S_ISDIR(own.st_mode)
                                 : own.st_ino == st->stx_ino &&
                                       own.st_dev == makedev(st->stx_dev_major, st->stx_dev_minor);
}

/* A unit holds what its target holds, one level down if that lies inside. Where a store was composed
 * (compose.h) it also shares files of others, and their folders, with the store: these are no
 * loss. */
static bool target_is_ours(const void *ctx, const char *path, const struct statx *st)
{
    const struct target *t = ctx;
    const bool folder = S_ISDIR(st->stx_mode);
    const char *kind = kind_names[t->kind], *base = strrchr(path, '/'), *below = path;
    char whole[PATH_MAX];
    if (!*path)
        return folder;
    if (t->inside && !(below = path_below(path, kind)))
        return false;
    if (!folder && st->stx_nlink > 1 && target_shares(t, below, st))
        return true;
    /* influxd gave it up and no snapshot holds it, but it may be good. */
    if (base && name_is_bad_tsm(base + 1))
        return false;
    return (snprintf(whole, sizeof(whole), "%s%s%s", kind, *below ? "/" : "", below) <
                (int)sizeof(whole) &&
            written_by_influxd(whole, st->stx_mode)) ||
           (folder && target_shares(t, below, st));
}

int target_remove_side(const struct target *t, enum target_side side, struct err *e)
{
    char unit[NAME_MAX + 1], prefix[NAME_MAX + 2] = "";
    struct err said;
    autoclose int home = target_find_unit(t, side, false, unit);
    if (home == -ENOENT)
        return 0;
    if (home < 0)
        return err_sys(e, home, "%s: the folder of a restore", t->path);
    if (faccessat(home, unit, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!t->inside)
        snprintf(prefix, sizeof(prefix), "%s.", t->name);
    int r = rmtree_clear(home, unit, prefix, &(struct rmtree_of){target_is_ours, t}, &said, e);
    if (r < 0)
        return r;
    target_say_left(t, &said);
    r = io_sync_dir(home);
    return r < 0 ? err_sys(e, r, "%s: the folder that holds %s", t->path, unit) : 0;
}

void target_say_left(const struct target *t, const struct err *said)
{
    if (said->text[0] && t->tell)
        t->tell(t->tell_arg, said->text);
}

void targets_tell(struct targets *t, void (*tell)(void *arg, const char *text), void *arg)
{
    for (int i = 0; i < TARGETS; i++) {
        t->at[i].tell = tell;
        t->at[i].tell_arg = arg;
    }
}

int target_remove_empty_side(const struct target *t, enum target_side side)
{
    char unit[NAME_MAX + 1];
    autoclose int home = -1;
    autoclose int fd = target_open_unit(t, side, &home);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (t->inside && unlinkat(fd, kind_names[t->kind], AT_REMOVEDIR) < 0 && errno != ENOENT)
        return -errno;
    target_unit(t, side, unit);
    if (unlinkat(home, unit, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return -errno;
    return io_sync_dir(home);
}

static int stage_one(const struct target *t, int *fd, struct err *e)
{
    autofree char *path = target_side_path(t, SIDE_NEW);
    int r = target_make_side(t, SIDE_NEW, 0700);
    if (r < 0)
        return err_sys(e, r, "cannot make %s", path ? path : t->path);
    int got = target_open_side(t, SIDE_NEW);
    if (got < 0)
        return err_sys(e, got, "cannot open %s", path ? path : t->path);
    *fd = got;
    return 0;
}

int targets_stage(struct targets *t, int fds[TARGETS], struct err *e)
{
    int r = targets_tidy(t, e);
    for (int i = 0; i < TARGETS; i++)
        fds[i] = -1;
    for (int i = 0; r == 0 && i < TARGETS; i++)
        r = stage_one(&t->at[i], &fds[i], e);
    if (r < 0) {
        targets_close(fds);
        targets_tidy(t, NULL);
        targets_remove_homes(t);
    }
    return r;
}

void targets_close(int fds[TARGETS])
{
    for (int i = 0; i < TARGETS; i++) {
        cleanup_close(&fds[i]);
        fds[i] = -1;
    }
}

/* Renames the staged unit, and opens what it stands for. */
static int target_set_aside(const struct target *t, int *fd, struct err *e)
{
    char fresh[NAME_MAX + 1], incoming[NAME_MAX + 1];
    int r = target_unit(t, SIDE_NEW, fresh);
    if (r == 0)
        r = target_unit(t, SIDE_INCOMING, incoming);
    autoclose int home = r < 0 ? r : target_open_home(t, false);
    if (home < 0)
        r = home;
    else if (renameat(home, fresh, home, incoming) < 0)
        r = -errno;
    int got = r < 0 ? r : target_open_side(t, SIDE_INCOMING);
    if (got < 0)
        return err_sys(e, got, "%s: its staging folder", t->path);
    *fd = got;
    return 0;
}

int targets_stage_again(struct targets *t, int incoming[TARGETS], int fds[TARGETS], struct err *e)
{
    int r = 0;
    for (int i = 0; i < TARGETS; i++)
        fds[i] = incoming[i] = -1;
    for (int i = 0; r == 0 && i < TARGETS; i++)
        r = target_set_aside(&t->at[i], &incoming[i], e);
    for (int i = 0; r == 0 && i < TARGETS; i++)
        r = stage_one(&t->at[i], &fds[i], e);
    if (r < 0) {
        targets_close(incoming);
        targets_close(fds);
    }
    return r;
}

int targets_open_staged(const struct targets *t, int fds[TARGETS], struct err *e)
{
    int r = 0;
    for (int i = 0; i < TARGETS; i++) {
        fds[i] = r < 0 ? -1 : target_open_side(&t->at[i], SIDE_NEW);
        if (r == 0 && fds[i] < 0)
            r = err_sys(e, fds[i], "%s: its staging folder", t->at[i].path);
    }
    if (r < 0)
        targets_close(fds);
    return r;
}

int targets_open_store(const struct targets *t, int fds[TARGETS], struct err *e)
{
    int r = 0;
    for (int i = 0; i < TARGETS; i++) {
        int fd = r < 0 ? r : target_open_folder(&t->at[i]);
        if (r == 0 && fd < 0 && fd != -ENOENT)
            r = err_sys(e, fd, "%s", t->at[i].path);
        fds[i] = fd < 0 ? -1 : fd;
    }
    if (r < 0)
        targets_close(fds);
    return r;
}

bool target_has_side(const struct target *t, enum target_side side)
{
    autoclose int fd = target_open_unit(t, side, NULL);
    return fd >= 0;
}

static bool is_series(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx;
    return written_in_series(path, st->stx_mode);
}

/* influxd takes TARGET/.influxfs for a database, and makes an empty series file in it at each
 * start. */
void targets_remove_homes(const struct targets *t)
{
    for (int i = 0; i < TARGETS; i++) {
        autoclose int self = target_open_folder(&t->at[i]);
        autoclose int home =
            self < 0 ? -1 : io_open_beneath(self, TARGET_HOME, O_RDONLY | O_DIRECTORY);
        cleanup(dir_free) struct dir list = {0};
        if (home < 0 || dir_read(home, &list) < 0)
            continue;
        if (list.n == 1 && strcmp(list.names[0], "_series") == 0)
            rmtree(home, "_series", &(struct rmtree_of){is_series, NULL}, NULL, NULL);
        unlinkat(self, TARGET_HOME, AT_REMOVEDIR);
    }
}

bool targets_have_homes(const struct targets *t)
{
    bool any = false;
    for (int i = 0; i < TARGETS; i++) {
        autoclose int self = target_open_folder(&t->at[i]);
        any |= self >= 0 && faccessat(self, TARGET_HOME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return any;
}

/* A half filled folder of kept entries is a store's only copy: then nothing is removed. */
int targets_tidy(const struct targets *t, struct err *e)
{
    if (t->half)
        return err_set(e, -EIO, "a restore was cut off in its exchange; it must be finished first");
    for (int i = 0; i < TARGETS; i++) {
        int r = target_remove_empty_side(&t->at[i], SIDE_KEPT_TMP);
        if (r < 0)
            return err_sys(e, r, "%s: the folder before-restore.tmp of a cut-off restore",
                           t->at[i].path);
    }
    for (int i = 0; i < TARGETS; i++) {
        int r = target_remove_side(&t->at[i], SIDE_NEW, e);
        if (r == 0)
            r = target_remove_side(&t->at[i], SIDE_INCOMING, e);
        if (r == 0)
            r = target_remove_side(&t->at[i], SIDE_TRASH, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int targets_make_parents(struct targets *t, struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        struct target *at = &t->at[i];
        if (at->parent >= 0)
            continue;
        autofree char *parent = strdup(at->path);
        if (!parent)
            return err_sys(e, -ENOMEM, "%s", at->path);
        path_up(parent);
        int r = io_mkdir_p(parent, 0755, at->uid, at->gid);
        if (r < 0)
            return err_sys(e, r, "cannot make %s", parent);
        at->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at->parent < 0)
            return err_sys(e, -errno, "%s", parent);
    }
    return 0;
}

int targets_lock(struct targets *t, bool make, struct err *e)
{
    int r = make ? targets_make_parents(t, e) : 0;
    if (r < 0)
        return r;
    if (t->lock >= 0 || t->at[TARGET_META].parent < 0)
        return 0;
    autoclose int fd = io_open_beneath(t->at[TARGET_META].parent, "", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return err_sys(e, fd, "%s: the folder that holds it", t->at[TARGET_META].path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(e, -EBUSY, "%s: another influxfs is restoring this store",
                             t->at[TARGET_META].path)
                   : err_sys(e, -errno, "%s: lock", t->at[TARGET_META].path);
    t->lock = steal_fd(&fd);
    return 0;
}

void targets_unlock(struct targets *t)
{
    cleanup_close(&t->lock);
    t->lock = -1;
}

void targets_free(struct targets *t)
{
    if (!t)
        return;
    targets_unlock(t);
    for (int i = 0; i < TARGETS; i++) {
        cleanup_close(&t->at[i].parent);
        free(t->at[i].path);
    }
    free(t);
}
