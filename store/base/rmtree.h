/* SPDX-License-Identifier: MIT */
/*
 * Removes trees; every removal of a folder uses this.
 *
 * First the tree is scanned: if anything is mounted in it, or it contains a folder of another
 * device, nothing is removed. Then the entries that belong to the caller are removed. All others
 * stay, with the folders that lead to them. No link is followed and no mount crossed, even if the
 * tree changes meanwhile.
 */
#ifndef INFLUXFS_BASE_RMTREE_H
#define INFLUXFS_BASE_RMTREE_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Which entries are the caller's own. path is relative to the tree, "" for the tree itself; st has
 * type, mode, links and blocks. A folder that is not the caller's stays with all its contents; one
 * that is goes if it ends up empty. */
struct rmtree_of {
    bool (*ours)(const void *ctx, const char *path, const struct statx *st);
    const void *ctx;
};

struct rmtree_sum {
    uint64_t files; /* removed, without folders */
    uint64_t freed; /* bytes of the files that had no other name */
    uint64_t left;  /* entries that are not the caller's own */
};

/* Removes dirfd/name, one component. 0: it is gone, or was not there; 1: some entries stay. -EBUSY:
 * something is mounted in it. *sum (may be NULL) counts removals, also after an error. The message
 * names the whole path. */
int rmtree(int dirfd, const char *name, const struct rmtree_of *of, struct rmtree_sum *sum,
           struct err *e);

/* The same, but entries that stay are moved out of the way: the tree is renamed to the first free
 * PREFIXleft-behind-1, -2, …, and *said is a message that names it (empty: nothing stays). 0 in
 * both cases. */
int rmtree_clear(int dirfd, const char *name, const char *prefix, const struct rmtree_of *of,
                 struct err *said, struct err *e);

#endif
