/* SPDX-License-Identifier: MIT */
/*
 * Mount points below a folder, and opening folders without crossing one.
 *
 * A bind mount of the same file system has the device of the folder that it covers; only the
 * mount's id tells them apart. A folder of another device counts as a mount even if it is none (a
 * btrfs subvolume).
 *
 * All functions return 0 (or as documented) or a negative errno and are safe in any thread. They
 * follow no link and trigger no mount (autofs).
 */
#ifndef INFLUXFS_BASE_MOUNTS_H
#define INFLUXFS_BASE_MOUNTS_H

#include <stdbool.h>
#include <sys/stat.h>

/* 1 if something is mounted below the folder at path (`itself`: or on it), an absolute path without
 * links; *out is then the mount point's path, which the caller frees. 0 if not, or if there is no
 * such folder. Reads the kernel's table, or walks the tree where there is none. */
int mounts_below(const char *path, bool itself, char **out);

/* The same by checking every entry of the tree, which also finds other devices. dirfd/name itself
 * is checked too; name NULL: only what lies below dirfd. *out begins with name. */
int mounts_walk(int dirfd, const char *name, char **out);

/* The type of what was mounted last on a folder, such as "ext4"; its path is absolute and without
 * links. false: nothing is mounted there. */
#define MOUNT_TYPE 64
bool mount_type_at(const char *path, char type[MOUNT_TYPE]);

/* 1 if what is mounted at path, as this thread sees it, is also in another table of mounts, such as
 * /proc/1/mountinfo, at any place of it; 0 if not. -errno if a table cannot be read; -ENOENT if
 * nothing is mounted at path. Asks the file system nothing, so that it need not answer yet. */
int mounts_seen_in(const char *path, const char *table);

/* The device of what is mounted on top at path, as that table says. -ENOENT: nothing is. */
int mounts_device_at(const char *path, dev_t *out);

/* Whether unmounting path would take away the mount of this device and no other: 1; or 0, if that is
 * not mounted at path (*other is NULL), or if something is mounted upon it or covers it: at *other,
 * which the caller frees. Asks the file system nothing. */
int mounts_alone(const char *path, dev_t device, char **other);

/* The mount and the device that a folder belongs to. */
struct mount_place {
    struct statx st;
};
int mount_place_of(int fd, struct mount_place *out);

/* statx(2) of an entry: type, links, blocks and mount. */
int mount_stat(int dirfd, const char *name, struct statx *out);

/* Whether an entry, from mount_stat, lies on another mount or device than the folder that holds
 * it. */
bool mount_is_other(const struct mount_place *here, const struct statx *st);

/* Opens a folder for reading its entries. -EXDEV: it lies on another mount or device. */
int mount_open_folder(const struct mount_place *here, int dirfd, const char *name);

#endif
