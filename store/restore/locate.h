/* SPDX-License-Identifier: MIT */
/*
 * The targets of a restore found: where the folders of a store lie, whose they are, whether they
 * can be exchanged, and in which way (target.h).
 */
#ifndef INFLUXFS_RESTORE_LOCATE_H
#define INFLUXFS_RESTORE_LOCATE_H

#include "store/base/err.h"
#include "store/influx/paths.h"
#include "store/restore/target.h"

/* Resolves the paths; makes nothing. uid, gid: owner=, or -1 for the rule of session_options.h.
 * -EINVAL: one of the folders lies in another, or is named strangely; -ENOTDIR; -ENOENT: a dangling
 * link. */
int targets_open(const struct store_paths *paths, uid_t uid, gid_t gid, struct targets **out,
                 struct err *e);

/* -EBUSY if anything is mounted below one of the folders, or on or below a side folder: renaming
 * the folder would carry it off. A folder that is a mount point itself is exchanged in another way
 * (`inside`). Makes nothing. */
int targets_check_mounts(const struct targets *t, struct err *e);

/* Asks that, and finds out how each folder can be exchanged, by renames that cannot succeed.
 * -EXDEV: it lies on the lower layer of an overlay; -EBUSY; -EACCES, -EROFS. */
int targets_probe(struct targets *t, struct err *e);

/* Removes what a killed targets_probe left. */
void targets_remove_probes(const struct targets *t);

#endif
