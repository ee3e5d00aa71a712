/* SPDX-License-Identifier: MIT */
/*
 * Mount points below a folder, and folders opened without crossing one.
 *
 * A bind mount of the same file system has the device of what it covers; only the id of the mount
 * tells them apart. A folder of another device counts as a mount even where it is not one (a
 * btrfs subvolume).
 *
 * All functions return 0 (or what they say) or a negative errno and are safe in any thread. No
 * link is followed, and nothing is mounted by looking (autofs).
 */
#ifndef INFLUXFS_BASE_MOUNTS_H
#define INFLUXFS_BASE_MOUNTS_H

#include <stdbool.h>
#include <sys/stat.h>

/* 1 if something is mounted below the folder at path (with `itself`: or on it), which is absolute
 * and without links; *out is then the mount point's path, which the caller frees. 0 if nothing is,
 * or the folder is not there. Asks the kernel's table, and walks the tree where there is none. */
int mounts_below(const char *path, bool itself, char **out);

/* The same by looking at every entry of the tree, which finds other devices too. dirfd/name is
 * looked at itself; name NULL: only what lies below dirfd. *out begins with name. */
int mounts_walk(int dirfd, const char *name, char **out);

/* The mount and the device that a folder belongs to. */
struct mount_place {
    struct statx st;
};
int mount_place_of(int fd, struct mount_place *out);

/* statx(2) of an entry: type, links, blocks and mount. */
int mount_stat(int dirfd, const char *name, struct statx *out);

/* Whether what mount_stat found lies on another mount or device than the folder that holds it. */
bool mount_is_other(const struct mount_place *here, const struct statx *st);

/* Opens a folder for reading its entries. -EXDEV: it lies on another mount or device. */
int mount_open_folder(const struct mount_place *here, int dirfd, const char *name);

#endif
