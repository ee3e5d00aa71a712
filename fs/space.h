/* SPDX-License-Identifier: MIT */
/* Free space, for statfs(2). df and disk monitors ask every file system, and must neither fail nor
 * hang because of this one: a thread of its own asks the disk, and while the disk does not answer,
 * callers get the last numbers. Safe in any thread. */
#ifndef INFLUXFS_FS_SPACE_H
#define INFLUXFS_FS_SPACE_H

#include <sys/statvfs.h>

struct space;

/* data is the data folder, state the state folder or NULL. Neither has to exist. */
int space_new(const char *data, const char *state, struct space **out);
void space_free(struct space *s); /* NULL is allowed */

/* The free space where a restore would unpack, after a tenth of a second at most. Zeros if no disk
 * has answered yet. */
void space_get(struct space *s, struct statvfs *out);

#endif
