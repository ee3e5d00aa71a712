/* SPDX-License-Identifier: MIT */
#include "fs/daemon.h"

#include "store/base/cleanup.h"
#include "store/base/mounts.h"
#include "store/base/path.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

/* realpath(3) fails on a mount whose daemon is dead, so this resolves the folder above. */
static int mountpoint_resolve(const char *path, char **out)
{
    *out = realpath(path, NULL);
    if (*out || errno != ENOTCONN)
        return *out ? 0 : -errno;
    autofree char *dir = strdup(path), *above = NULL, *name = NULL;
    for (size_t n = dir ? strlen(dir) : 0; n > 1 && dir[n - 1] == '/'; n--)
        dir[n - 1] = 0;
    if (!dir || !(name = strdup(path_last(dir))))
        return -ENOMEM;
    path_up(dir);
    above = realpath(*dir ? dir : ".", NULL);
    if (!above)
        return -errno;
    *out = path_join(above, name);
    return *out ? 0 : -ENOMEM;
}

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
        int r = mountpoint_unmount_dead(path);
        if (r < 0)
            return err_sys(e, r, "mountpoint %s: unmounting what a killed influxfs left", path);
    }
    return 0;
}

/* A store that holds its own mount would be captured through it. */
static int refuse_within(const char *path, const struct store_paths *store, struct err *e)
{
    const char *const folders[] = {store->meta, store->data, store->wal};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        autofree char *real = realpath(folders[i], NULL);
        if (real && path_below(path, real))
            return err_set(e, -EINVAL, "mountpoint %s: lies within the store's folder %s", path,
                           folders[i]);
    }
    return 0;
}

int mountpoint_prepare(const char *path, const struct store_paths *store, char **out, struct err *e)
{
    struct stat st;
    autofree char *real = NULL;
    int r = mountpoint_resolve(path, &real);
    if (r < 0)
        return err_sys(e, r, "mountpoint %s", path);
    r = mountpoint_clear_dead(real, e);
    if (r == 0)
        r = refuse_within(real, store, e);
    if (r < 0)
        return r;
    if (stat(real, &st) < 0)
        return err_sys(e, -errno, "mountpoint %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, -ENOTDIR, "mountpoint %s: not a folder", path);
    *out = steal_ptr(&real);
    return 0;
}
