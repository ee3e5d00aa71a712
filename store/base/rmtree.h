/* SPDX-License-Identifier: MIT */
/*
 * Removes trees. All removing of folders goes through here.
 *
 * A tree is first looked through: if anything is mounted in it, or a folder of another device lies
 * in it, nothing is removed. Then each entry is removed that the caller knows as its own; anything
 * else stays where it is, and so do the folders that lead to it. No link is followed and no mount
 * crossed, whatever is linked or mounted meanwhile.
 */
#ifndef INFLUXFS_BASE_RMTREE_H
#define INFLUXFS_BASE_RMTREE_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* What is the caller's own. path is that below the tree, "" for the tree itself; of st, type,
 * mode, links and blocks are filled in. A folder that is not its own stays with all that is in it;
 * one that is goes if nothing stays in it. */
struct rmtree_of {
    bool (*ours)(const void *ctx, const char *path, const struct statx *st);
    const void *ctx;
};

struct rmtree_sum {
    uint64_t files; /* removed, without folders */
    uint64_t freed; /* bytes of those that had no other name */
    uint64_t left;  /* what is not the caller's own */
};

/* Removes dirfd/name, one component. 0: it is gone, or was not there; 1: something stays. -EBUSY:
 * something is mounted in it. *sum (may be NULL) counts what was removed, also after an error. The
 * message names the whole path. */
int rmtree(int dirfd, const char *name, const struct rmtree_of *of, struct rmtree_sum *sum,
           struct err *e);

/* The same, where what stays must not be in the way: it is renamed to the first of
 * PREFIXleft-behind-1, -2, … that is free, and *said is a message that names it (empty: nothing
 * stays). 0 in both cases. */
int rmtree_clear(int dirfd, const char *name, const char *prefix, const struct rmtree_of *of,
                 struct err *said, struct err *e);

#endif
