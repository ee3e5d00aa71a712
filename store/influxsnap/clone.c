/* SPDX-License-Identifier: MIT */
/* influxsnap clone: an overlay mount above the files of a cut, in which another influxd may write.
 *
 *   STATE/clones/NAME/folder          where it is mounted
 *                     lower/          the store at the cut
 *                     upper/ work/    what has been written since */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/rmtree.h"
#include "store/base/time.h"
#include "store/influx/config.h"
#include "store/influx/mountplace.h"
#include "store/influx/written.h"
#include "store/influxsnap/clone_internal.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/whichcut.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define CLONES "clones"
#define RECORD "folder"
#define LAYERS "lowerdir=lower,upperdir=upper,workdir=work"

/* Its place */

static bool is_overlay(const char *folder)
{
    struct statfs f;
    return statfs(folder, &f) == 0 && f.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* The folder need not be there yet. */
static int clone_check_place(const struct snap *s, const char *folder, struct err *e)
{
    const char *const own[] = {s->paths.meta, s->paths.data, s->paths.wal, s->state};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
        autofree char *real = own[i] ? realpath(own[i], NULL) : NULL;
        if (real && path_below(folder, real))
            return err_set(e, -EINVAL, "%s lies in %s, which is part of the store", folder, own[i]);
    }
    return 0;
}

static int clone_check_empty(const char *folder, struct err *e)
{
    cleanup(dir_free) struct dir list = {0};
    autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : dir_read(fd, &list);
    if (r < 0)
        return err_sys(e, r, "%s", folder);
    return list.n ? err_set(e, -ENOTEMPTY, "%s is not empty: give an empty folder", folder) : 0;
}

/* The folder's absolute path, which the caller frees; makes the folder if its parent exists. */
static int clone_prepare_folder(const struct snap *s, const char *given, char **out, struct err *e)
{
    autofree char *folder = NULL;
    int r = mountplace_find(given, &folder);
    if (r < 0)
        return err_sys(e, r, "%s", given);
    if ((r = clone_check_place(s, folder, e)) < 0)
        return r;
    if (mkdir(given, 0755) < 0 && errno != EEXIST)
        return err_sys(e, -errno, "%s", given);
    if ((r = clone_check_empty(folder, e)) == 0)
        *out = steal_ptr(&folder);
    return r;
}

/* Opens STATE/clones, for the caller. */
static int open_clones(const struct snap *s, struct err *e)
{
    autofree char *path = path_join(s->state, CLONES);
    if (!path)
        return err_sys(e, -ENOMEM, "clone");
    int r = io_mkdir_p(path, 0700, (uid_t)-1, (gid_t)-1);
    int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, r < 0 ? r : -errno, "%s", path) : fd;
}

/* The name of the clone mounted on the folder, which the caller frees; NULL: none. */
static int clone_find(int clones, const char *folder, char **out, struct err *e)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(clones, &list);
    if (r < 0)
        return err_sys(e, r, CLONES);
    *out = NULL;
    for (size_t i = 0; i < list.n; i++) {
        autofree char *path = path_join(list.names[i], RECORD), *text = NULL;
        size_t len;
        if (!path)
            return err_sys(e, -ENOMEM, "clone");
        if (io_read_file(clones, path, PATH_MAX, &text, &len) < 0 || strcmp(text, folder) != 0)
            continue;
        *out = strdup(list.names[i]);
        return *out ? 0 : err_sys(e, -ENOMEM, "clone");
    }
    return 0;
}

/* What clones are made of */

/* The kernel owns what an overlay keeps in its work folder. */
static bool is_work(const char *rest, mode_t type)
{
    if (!*rest || strcmp(rest, "work") == 0 || strcmp(rest, "index") == 0)
        return S_ISDIR(type);
    return strncmp(rest, "work/#", 6) == 0 || strncmp(rest, "index/", 6) == 0 ||
           path_below(rest, "work/incompat");
}

/* A character device 0/0 in the upper layer stands for a removal from the lower one. */
static bool clone_is_ours(const void *ctx, const char *path, const struct statx *st)
{
    const mode_t type = st->stx_mode & S_IFMT;
    const char *rest;
    (void)ctx;
    if (!*path)
        return S_ISDIR(type);
    if (strcmp(path, RECORD) == 0 || strcmp(path, RECORD ".tmp") == 0)
        return S_ISREG(type);
    if ((rest = path_below(path, "work")))
        return is_work(rest, type);
    if (!(rest = path_below(path, "lower")) && !(rest = path_below(path, "upper")))
        return false;
    if (S_ISCHR(type) && st->stx_rdev_major == 0 && st->stx_rdev_minor == 0)
        return true;
    return *rest ? written_by_influxd(rest, type) : S_ISDIR(type);
}

/* Other files in the clone stay, under a name that no clone has. */
static int remove_folders(int clones, const char *name, struct err *e)
{
    struct err said;
    int r = rmtree_clear(clones, name, "", &(struct rmtree_of){clone_is_ours, NULL}, &said, e);
    if (said.text[0])
        snap_say("%s", said.text);
    return r;
}

/* Making it */

/* Layers are relative, so that no byte of a path can separate options. */
static int clone_mount(int fd, const char *folder, struct err *e)
{
    if (fchdir(fd) < 0)
        return err_sys(e, -errno, CLONES);
    if (mount("influxsnap", folder, "overlay", MS_NODEV | MS_NOSUID, LAYERS) == 0)
        return 0;
    int r = -errno;
    switch (-r) {
    case EPERM:
    case EACCES:
        return err_set(e, r,
                       "%s: an overlay may not be mounted here: run it as root, in a container "
                       "with the right to mount (CAP_SYS_ADMIN)",
                       folder);
    case ENODEV:
        return err_set(e, r, "%s: this kernel has no overlay file system", folder);
    case EINVAL:
        return err_set(e, r,
                       "%s: the kernel refuses an overlay: the file system of the state folder "
                       "cannot hold its upper layer (as an overlay or NFS cannot); its log "
                       "(dmesg) says more",
                       folder);
    default:
        return err_sys(e, r, "mounting an overlay on %s", folder);
    }
}

static int make_layer(int fd, const char *name, struct err *e)
{
    if (mkdirat(fd, name, 0755) < 0)
        return err_sys(e, -errno, "the clone's %s", name);
    int layer = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return layer < 0 ? err_sys(e, -errno, "the clone's %s", name) : layer;
}

/* Gives the top of the mount the store's owner. */
static int own_layer(int layer, const struct cutuse *u, struct err *e)
{
    const struct file_attr *top = cutuse_top(u);
    if (top->mode && fchown(layer, top->uid, top->gid) < 0)
        return err_sys(e, -errno, "the clone's upper layer");
    return 0;
}

static int clone_fill(const struct cutuse *u, int fd, const char *folder, struct err *e)
{
    int r = io_replace_file(fd, RECORD, folder, strlen(folder), 0600);
    if (r < 0)
        return err_sys(e, r, "the clone's record");
    autoclose int lower = make_layer(fd, "lower", e);
    autoclose int upper = lower < 0 ? lower : make_layer(fd, "upper", e);
    autoclose int work = upper < 0 ? upper : make_layer(fd, "work", e);
    if (work < 0)
        return work;
    r = clonetree_build(u, lower, e);
    if (r == 0)
        r = own_layer(upper, u, e);
    return r < 0 ? r : clone_mount(fd, folder, e);
}

static int clone_make(struct snap *s, int clones, uint64_t serial, const char *folder,
                      struct err *e)
{
    autofree char *path = path_join(s->state, CLONES "/XXXXXX");
    cleanup(cutuse_endp) struct cutuse *u = NULL;
    if (!path)
        return err_sys(e, -ENOMEM, "clone");
    int r = cutuse_begin(s->cuts, serial, &u, e);
    if (r < 0)
        return r;
    r = mkdtemp(path) ? 0 : err_sys(e, -errno, "%s", path);
    autoclose int fd = r < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && fd < 0)
        r = err_sys(e, -errno, "%s", path);
    if (r == 0) {
        r = clone_fill(u, fd, folder, e);
        if (r < 0)
            remove_folders(clones, strrchr(path, '/') + 1, NULL);
    }
    return r;
}

static int print_clone(const struct cut_info *cut, const char *folder, bool auth, struct err *e)
{
    char name[32], time[TIME_TEXT];
    autofree char *config = NULL;
    snap_cut_name(cut->head.number, name);
    time_exact_text(cut->head.wall_ns, time);
    int r = cloneconf_text(folder, name, time, auth, &config);
    if (r < 0)
        return err_sys(e, r, "the clone's configuration");
    fputs(config, stdout);
    return 0;
}

static int clone_cut(struct snap *s, int clones, struct err *e)
{
    struct cut_info cut = {0};
    autofree char *folder = NULL, *name = NULL;
    bool auth = false;
    /* A store given as a folder has no known influxdb.conf. */
    int r = s->paths.config ? config_asks_passwords(s->paths.config, &auth, e) : 0;
    if (r < 0 || (r = whichcut(s->cuts, s->o.args[0], &cut, e)) < 0 ||
        (r = clone_prepare_folder(s, s->o.args[1], &folder, e)) < 0 ||
        (r = clone_find(clones, folder, &name, e)) < 0)
        return r;
    if (name)
        return err_set(e, -EEXIST,
                       "a clone was made on %s before, and is not mounted any more: take it away "
                       "with influxsnap clone --remove %s",
                       folder, folder);
    r = clone_make(s, clones, cut.head.serial, folder, e);
    return r < 0 ? r : print_clone(&cut, folder, auth, e);
}

/* Taking it away */

static int clone_remove(struct snap *s, int clones, struct err *e)
{
    const char *given = s->o.args[s->o.nargs - 1];
    autofree char *folder = realpath(given, NULL), *name = NULL;
    int r = folder ? clone_find(clones, folder, &name, e) : err_sys(e, -errno, "%s", given);
    if (r < 0)
        return r;
    if (!name)
        return err_set(e, -ENOENT, "%s: no clone of this store", given);
    if (is_overlay(folder) && umount2(folder, 0) < 0)
        return errno == EBUSY
                   ? err_set(e, -EBUSY, "%s is in use: stop the influxd that runs there", folder)
                   : err_sys(e, -errno, "unmounting %s", folder);
    return remove_folders(clones, name, e);
}

int snap_clone(struct snap *s)
{
    struct err e = {0};
    if (!s->o.remove && s->o.nargs != 2) {
        snap_say("usage: influxsnap [options] clone N|base|latest|TIME FOLDER, or --remove FOLDER");
        return EXIT_USAGE;
    }
    int r = snap_open(s, SNAP_CUTS, &e);
    if (r < 0)
        return snap_fail(r, &e);
    autoclose int clones = open_clones(s, &e);
    r = clones < 0 ? clones : s->o.remove ? clone_remove(s, clones, &e) : clone_cut(s, clones, &e);
    return r < 0 ? snap_fail(r, &e) : EXIT_DONE;
}
