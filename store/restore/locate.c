/* SPDX-License-Identifier: MIT */
/* Finds the targets of a restore: the store's folders, their owners, and whether and how they can
 * be exchanged. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/mounts.h"
#include "store/base/owner.h"
#include "store/base/path.h"
#include "store/base/rmtree.h"
#include "store/restore/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The absolute path without links; its last components need not exist. */
static int locate_resolve(const char *path, char **out, struct err *e)
{
    autofree char *rest = strdup("");
    autofree char *head = strdup(path);
    if (!rest || !head)
        return err_sys(e, -ENOMEM, "%s", path);
    for (;;) {
        struct stat st;
        autofree char *real = realpath(head, NULL);
        if (real) {
            *out = path_join(real, rest);
            return *out ? 0 : err_sys(e, -ENOMEM, "%s", path);
        }
        if (errno != ENOENT)
            return err_sys(e, -errno, "%s", path);
        if (lstat(head, &st) == 0)
            return err_set(e, -ENOENT, "%s: a link to nothing", head);
        const char *last = path_last(head);
        if (strcmp(last, "..") == 0)
            return err_sys(e, -ENOENT, "%s", path);
        if (*last && strcmp(last, ".") != 0) {
            char *longer = path_join(last, rest);
            if (!longer)
                return err_sys(e, -ENOMEM, "%s", path);
            free(rest);
            rest = longer;
        }
        path_up(head);
        if (!*head)
            strcpy(head, ".");
    }
}

/* owner=, else the replaced folder's owner, else user influxdb: as far as root may. */
static void locate_owner(struct target *t, const struct stat *st, uid_t uid, gid_t gid)
{
    t->uid = (uid_t)-1;
    t->gid = (gid_t)-1;
    if (geteuid() != 0)
        return;
    if (uid != (uid_t)-1) {
        t->uid = uid;
        t->gid = gid;
    } else if (t->existed) {
        t->uid = st->st_uid;
        t->gid = st->st_gid;
    } else {
        owner_find_user("influxdb", &t->uid, &t->gid);
    }
}

static int locate_target(struct target *t, const char *path, uid_t uid, gid_t gid, struct err *e)
{
    struct stat st = {0};
    if (!path || !*path)
        return err_set(e, -EINVAL, "the store has no %s folder", target_kind_name(t->kind));
    int r = locate_resolve(path, &t->path, e);
    if (r < 0)
        return r;
    for (const char *p = t->path; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return err_set(e, -EINVAL, "%s: control characters in its path", t->path);
    t->name = strrchr(t->path, '/') + 1;
    autofree char *parent = strdup(t->path);
    if (!parent)
        return err_sys(e, -ENOMEM, "%s", path);
    if (!path_up(parent))
        return err_set(e, -EINVAL, "%s cannot be restored into", t->path);
    t->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->parent < 0 && errno != ENOENT)
        return err_sys(e, -errno, "%s", parent);
    if (t->parent >= 0 && fstatat(t->parent, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(st.st_mode))
            return err_set(e, -ENOTDIR, "%s is not a folder", t->path);
        t->existed = true;
    }
    locate_owner(t, &st, uid, gid);
    return 0;
}

/* Exchanging a folder would carry off any other that lies in it. */
static int check_apart(const struct targets *t, struct err *e)
{
    for (int i = 0; i < TARGETS; i++)
        for (int k = 0; k < TARGETS; k++)
            if (i != k && path_below(t->at[k].path, t->at[i].path))
                return err_set(e, -EINVAL,
                               "%s lies in %s: such a store cannot be restored in one step",
                               t->at[k].path, t->at[i].path);
    return 0;
}

int targets_open(const struct store_paths *paths, uid_t uid, gid_t gid, struct targets **out,
                 struct err *e)
{
    const char *const given[TARGETS] = {paths->meta, paths->data, paths->wal};
    cleanup(targets_freep) struct targets *t = calloc(1, sizeof(*t));
    if (!t)
        return err_sys(e, -ENOMEM, "restore");
    t->lock = -1;
    for (int i = 0; i < TARGETS; i++)
        t->at[i].parent = -1;
    for (int i = 0; i < TARGETS; i++) {
        t->at[i].kind = (enum target_kind)i;
        int r = locate_target(&t->at[i], given[i], uid, gid, e);
        if (r < 0)
            return r;
    }
    int r = check_apart(t, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&t);
    return 0;
}

static bool is_probe(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx;
    return S_ISDIR(st->stx_mode) && (!*path || strcmp(path, "full") == 0);
}

static void remove_probe(int home, const char *name)
{
    rmtree(home, name, &(struct rmtree_of){is_probe, NULL}, NULL, NULL);
}

/* A folder that is not empty, so rename(2) can never replace it. */
static int make_probe(int home, const char *name)
{
    if (mkdirat(home, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    autoclose int fd = openat(home, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (mkdirat(fd, "full", 0700) < 0 && errno != EEXIST))
        return -errno;
    return 0;
}

/* The probe's name beside a target. */
static int probe_name(const struct target *t, char out[NAME_MAX + 1])
{
    int n = snprintf(out, NAME_MAX + 1, "%s.influxfs-probe", t->name);
    return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

void targets_remove_probes(const struct targets *t)
{
    for (int i = 0; i < TARGETS; i++) {
        char name[NAME_MAX + 1];
        struct target inside = t->at[i];
        inside.inside = true;
        if (inside.parent >= 0 && probe_name(&inside, name) == 0)
            remove_probe(inside.parent, name);
        autoclose int home = target_open_home(&inside, false);
        if (home >= 0)
            remove_probe(home, "probe");
    }
}

/* Whether rename(2) could move this folder: 0, or the reason why not. */
static int try_rename(int dirfd, const char *name, int home, const char *probe)
{
    if (renameat(dirfd, name, home, probe) == 0)
        return -EIO; /* cannot be: a folder that is not empty was replaced */
    return errno == ENOTEMPTY || errno == EEXIST ? 0 : -errno;
}

static bool mountable(int r)
{
    return r == -EBUSY || r == -EACCES || r == -EPERM || r == -EROFS;
}

static int locate_probe_beside(struct target *t, struct err *e)
{
    char probe[NAME_MAX + 1];
    int r = probe_name(t, probe);
    if (r < 0)
        return err_sys(e, r, "%s", t->path);
    r = make_probe(t->parent, probe);
    if (r == 0)
        r = try_rename(t->parent, t->name, t->parent, probe);
    remove_probe(t->parent, probe);
    if (mountable(r)) {
        t->inside = true;
        return 0;
    }
    if (r == -EXDEV && t->kind == TARGET_META)
        return 0; /* its entries are files, which every overlay can rename */
    if (r == -EXDEV)
        return err_set(e, r,
                       "%s cannot be renamed: it lies on the lower layer of an overlay (a "
                       "container's image); put it on a volume",
                       t->path);
    return r < 0 ? err_sys(e, r, "%s", t->path) : 0;
}

/* A database on its own disk cannot be moved entry by entry, which must be known before. */
static int locate_probe_inside(struct target *t, struct err *e)
{
    cleanup(dir_free) struct dir list = {0};
    autoclose int self = target_open_folder(t);
    autoclose int home = target_open_home(t, true);
    if (self < 0 || home < 0)
        return err_sys(e, self < 0 ? self : home, "%s/" TARGET_HOME, t->path);
    int r = dir_read(self, &list);
    if (r == 0)
        r = make_probe(home, "probe");
    if (r < 0)
        err_sys(e, r, "%s/" TARGET_HOME, t->path);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct stat st;
        if (target_is_own_entry(t, list.names[i]) ||
            fstatat(self, list.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
            continue;
        r = try_rename(self, list.names[i], home, "probe");
        if (r < 0)
            err_sys(e, r, "%s/%s cannot be moved aside (a mount point?)", t->path, list.names[i]);
    }
    remove_probe(home, "probe");
    unlinkat(self, TARGET_HOME, AT_REMOVEDIR);
    return r;
}

/* A missing folder needs a writable one above it. */
static int locate_probe_absent(const struct target *t, struct err *e)
{
    autofree char *up = strdup(t->path);
    if (!up)
        return err_sys(e, -ENOMEM, "%s", t->path);
    while (path_up(up) && access(up, F_OK) < 0 && errno == ENOENT)
        ;
    if (faccessat(AT_FDCWD, up, W_OK | X_OK, AT_EACCESS) < 0)
        return err_sys(e, -errno, "%s cannot be made in %s", t->path, up);
    return 0;
}

static int locate_check_mounts(const char *path, bool itself, struct err *e)
{
    autofree char *point = NULL;
    int r = mounts_below(path, itself, &point);
    if (r < 0)
        return err_sys(e, r, "%s: cannot find out whether anything is mounted in it", path);
    return r == 0 ? 0
                  : err_set(e, -EBUSY,
                            "%s is a mount point: a restore would carry it off; unmount it, or put "
                            "the whole folder %s on that disk",
                            point, path);
}

int targets_check_mounts(const struct targets *t, struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        struct target beside = t->at[i]; /* what lies inside is looked at with the folder */
        beside.inside = false;
        int r = locate_check_mounts(beside.path, false, e);
        for (int side = 0; r == 0 && side < SIDES; side++) {
            autofree char *path = target_side_path(&beside, (enum target_side)side);
            r = path ? locate_check_mounts(path, true, e) : err_sys(e, -ENOMEM, "%s", beside.path);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int targets_probe(struct targets *t, struct err *e)
{
    int checked = targets_check_mounts(t, e);
    if (checked < 0)
        return checked;
    for (int i = 0; i < TARGETS; i++) {
        struct target *at = &t->at[i];
        at->inside = false;
        int r = at->existed ? locate_probe_beside(at, e) : locate_probe_absent(at, e);
        if (r == 0 && at->inside)
            r = locate_probe_inside(at, e);
        if (r < 0)
            return r;
    }
    return 0;
}
