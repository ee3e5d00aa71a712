/* SPDX-License-Identifier: MIT */
/*
 * Whether a mount is taken away when nobody has used it for a while: then its daemon ends, and
 * makes no more cuts.
 *
 * mount(8) does not hand on the options that say so (x-systemd.idle-timeout). So fstab is read, and
 * the kernel's table, which shows the time after which an automounter (of systemd's unit files, or
 * autofs) unmounts.
 */
#ifndef INFLUXFS_MOUNT_IDLETIME_H
#define INFLUXFS_MOUNT_IDLETIME_H

#include "store/base/err.h"

#include <stdbool.h>

/* Whether what is mounted on the folder is unmounted when idle; *where then says where that is set.
 * option: x-systemd.idle-timeout=… if it was given, else NULL. fstab: its path. */
bool idletime_is_set(const char *folder, const char *option, const char *fstab, struct err *where);

#endif
