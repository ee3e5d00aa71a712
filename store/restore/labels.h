/* SPDX-License-Identifier: MIT */
/* What a folder bears that no snapshot holds: its SELinux label, its ACLs, and attributes of users
 * (user.*). What is made in a folder inherits the label and the default ACL. */
#ifndef INFLUXFS_RESTORE_LABELS_H
#define INFLUXFS_RESTORE_LABELS_H

#include <linux/limits.h>

/* Gives the folder `to` those of the folder `from`, and takes ACLs away that `from` lacks; other
 * attributes stay. An access ACL brings the mode along. A file system without labels has none.
 * Returns -errno of the first that could not be set, whose name as in getfattr(1) is in failed. */
int labels_copy(int from, int to, char failed[XATTR_NAME_MAX + 1]);

#endif
