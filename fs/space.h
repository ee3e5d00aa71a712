/* SPDX-License-Identifier: MIT */
/*
 * Free space, for statfs(2): df of a whole host, and whatever watches its disks, asks every file
 * system, and must neither fail nor hang because of this one.
 *
 * A thread of its own asks the disk, so that a disk or a file server that does not answer keeps
 * nobody else waiting: then the numbers are those that were seen last. Safe in any thread.
 */
#ifndef INFLUXFS_FS_SPACE_H
#define INFLUXFS_FS_SPACE_H

#include <sys/statvfs.h>

struct space;

/* The data folder; and the state folder, which may be NULL. Neither has to be there. */
int space_new(const char *data, const char *state, struct space **out);
void space_free(struct space *s); /* NULL is allowed */

/* What is free where a restore would unpack: after a tenth of a second at the latest. Zeros if no
 * disk has answered yet. */
void space_get(struct space *s, struct statvfs *out);

#endif
