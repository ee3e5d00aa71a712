/* SPDX-License-Identifier: MIT */
/*
 * What lies in the folders of a store of that which a snapshot is made of: meta.db, TSM files and
 * tombstones, WAL segments, and the folders down to them. What influxd derives is passed over.
 */
#ifndef INFLUXFS_RESTORE_PRESENT_H
#define INFLUXFS_RESTORE_PRESENT_H

#include "store/restore/target.h"

#include <sys/stat.h>

/* Told of each, a folder before what is in it, with its name as in a snapshot. Other than 0 ends
 * the walk. */
typedef int present_fn(void *arg, const char *name, const struct stat *st);

/* fds: the folders; -1 for one that is not there, which is as good as empty. Returns what fn did,
 * or -errno. */
int present_walk(const int fds[TARGETS], present_fn *fn, void *arg);

#endif
