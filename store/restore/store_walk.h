/* SPDX-License-Identifier: MIT */
/* Walks the files that a snapshot is made of: meta.db, TSM files and tombstones, WAL segments, and
 * their folders. Skips what influxd derives from these. */
#ifndef INFLUXFS_RESTORE_STORE_WALK_H
#define INFLUXFS_RESTORE_STORE_WALK_H

#include "store/restore/target.h"

#include <stdbool.h>
#include <sys/stat.h>

/* Called for each file and folder, a folder before its contents, with the name in a snapshot
 * ("data/db/rp/1"). A result other than 0 ends the walk. */
typedef int store_walk_fn(void *arg, const char *name, const struct stat *st);

/* fds: the three folders, which stay the caller's; -1: a missing one, which counts as empty.
 * Returns the last result of fn, or -errno. */
int store_walk(const int fds[TARGETS], store_walk_fn *fn, void *arg);

/* Whether it would call fn for a file of this name. */
bool store_walk_meets(const char *name);

#endif
