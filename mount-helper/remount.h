/* SPDX-License-Identifier: MIT */
/*
 * mount -o remount: the kernel changes flags of a mounted influxfs, such as ro; its daemon, which
 * read its options when it started, changes nothing.
 */
#ifndef INFLUXFS_MOUNT_REMOUNT_H
#define INFLUXFS_MOUNT_REMOUNT_H

#include "mount-helper/mountopts.h"

/* Sets the flags that were given and clears others, except nosuid and nodev, and ro if rw is not
 * given either: those stay unless suid, dev or rw say otherwise, or the options repeat the kernel's
 * table. fake: only finds out whether it could.
 *
 * mount(8) repeats the options of fstab, so an option with the value that it has is no change; the
 * present ones are in status.json. Errors, with a message in e: -EINVAL for an option that cannot be
 * changed (then nothing is), or if no influxfs is mounted there; -EPERM; -EBUSY for ro while a file
 * in restore/ is being written; -ENOTCONN if its daemon is dead. */
int remount(const char *folder, const struct mountopts *o, bool fake, struct err *e);

#endif
