/* SPDX-License-Identifier: MIT */
#include "fs/daemon.h"

#include "store/base/cleanup.h"
#include "store/base/mounts.h"
#include "store/base/path.h"
#include "store/influx/mountplace.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODE 0755 /* of what is made; not less by the process's umask */

/* root asks the kernel; a user's mount is undone by the helper that made it. */
static int mountpoint_unmount_dead(const char *path)
{
    if (umount2(path, MNT_DETACH) == 0)
        return 0;
    char *const argv[] = {(char *)"fusermount3", (char *)"-u", (char *)"-z", (char *)path, NULL};
    char *const env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    pid_t pid;
    int status;
    int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, env);
    if (r)
        return -r;
    if (waitpid(pid, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Unmounting what is dead would take away what is mounted upon it. */
static int mountpoint_refuse_covered(const char *path, struct err *e)
{
    autofree char *other = NULL;
    dev_t device;
    int r = mounts_device_at(path, &device);
    if (r == 0)
        r = mounts_alone(path, device, &other);
    if (r < 0)
        return err_sys(e, r, "mountpoint %s: the kernel's table of mounts", path);
    if (!other)
        return 0;
    return err_set(
        e, -EBUSY,
        "mountpoint %s: a killed influxfs left a dead mount there, and something else is "
        "mounted at %s; umount -l %s takes both away",
        path, other, path);
}

static int mountpoint_clear_dead(const char *path, struct err *e)
{
    char type[MOUNT_TYPE];
    struct statvfs v;
    /* An automount is there to be mounted upon. It may wait for just this mount: until then
     * statvfs(3) would not return. */
    while (mount_type_at(path, type) && strcmp(type, "autofs") != 0) {
        /* Not stat(2): the kernel's cache may answer long after the daemon died. */
        if (statvfs(path, &v) == 0 || errno != ENOTCONN)
            return err_set(e, -EBUSY, "mountpoint %s: a %s file system is mounted there already",
                           path, type);
        if (strcmp(type, "fuse.influxfs") != 0)
            return err_set(e, -ENOTCONN, "mountpoint %s: a dead %s is mounted there; unmount it",
                           path, type);
        int r = mountpoint_refuse_covered(path, e);
        if (r < 0)
            return r;
        r = mountpoint_unmount_dead(path);
        if (r < 0)
            return err_sys(e, r, "mountpoint %s: unmounting what a killed influxfs left", path);
    }
    return 0;
}

int mountpoint_prepare(const struct options *o, const struct store_paths *store, char **out,
                       struct err *e)
{
    struct stat st;
    autofree char *place = NULL;
    int r = mountplace_find(o->mountpoint, &place);
    if (r < 0)
        return err_sys(e, r, "mountpoint %s", o->mountpoint);
    r = mountplace_check(place, store, o->state, e);
    if (r == 0)
        r = mountpoint_clear_dead(place, e);
    if (r < 0)
        return r;
    if (stat(place, &st) < 0) {
        if (errno != ENOENT)
            return err_sys(e, -errno, "mountpoint %s", place);
        if (!o->mkdir)
            return err_set(e, -ENOENT, "mountpoint %s: %s; make it, or give the option mkdir",
                           place, strerror(ENOENT));
    } else if (!S_ISDIR(st.st_mode)) {
        return err_set(e, -ENOTDIR, "mountpoint %s: not a folder", place);
    }
    *out = steal_ptr(&place);
    return 0;
}

int mountpoint_make(const char *path, struct err *e)
{
    struct stat st;
    autofree char *up = strdup(path);
    if (!up)
        return err_sys(e, -ENOMEM, "mountpoint %s", path);
    if (stat(path, &st) == 0)
        return 0;
    if (path_up(up)) {
        int r = mountpoint_make(up, e);
        if (r < 0)
            return r;
    }
    if (mkdir(path, MODE) < 0 || chmod(path, MODE) < 0)
        return err_sys(e, -errno, "making the mountpoint %s", path);
    return 0;
}

bool mountpoint_leave(struct fuse_session *session, const char *path, dev_t device)
{
    autofree char *other = NULL;
    /* libfuse unmounts whatever the path leads to, with all that is mounted below. */
    if (mounts_alone(path, device, &other) != 0) {
        fuse_session_unmount(session);
        return true;
    }
    if (other)
        log_warning(
            "mountpoint %s: something else is mounted at %s, and stays; so does this mount, "
            "which is dead now: unmount both (umount -l %s, if that lies within)",
            path, other, path);
    close(fuse_session_fd(session));
    return false;
}
