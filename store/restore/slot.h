/* SPDX-License-Identifier: MIT */
/* A folder with a random name, HEX16.new, in which one process receives something. It is locked
 * (flock) as long as that process lives, so that any other can tell it from litter. */
#ifndef INFLUXFS_RESTORE_SLOT_H
#define INFLUXFS_RESTORE_SLOT_H

#include <stdbool.h>

#define SLOT_NEW ".new"
#define SLOT_NAME_BYTES (16 + sizeof(SLOT_NEW))
#define SLOT_TRIES 5 /* another process may tidy up just now */

/* Makes one in the folder `place`; *fd, which holds the lock, is the caller's to close. -ENOENT: it
 * was taken for litter: try again. */
int slot_make(int place, char name[SLOT_NAME_BYTES], int *fd);

/* Whether a name is that of such a folder, and whether no process has it any more. */
bool slot_is_name(const char *name);
bool slot_is_dead(int place, const char *name);

#endif
