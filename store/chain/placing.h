/* SPDX-License-Identifier: MIT */
/*
 * Retained files put into folders outside of the pool, for what begins as a cut: a clone, or a store
 * that is rolled back.
 *
 * TSM files and tombstones, which influxd never changes in place, become hard links of the retained
 * ones, if these have the mode, owner and time that are wanted: the inode may be that of the live
 * store, and is never changed. All else is copied. Used by one thread, on a leased state.
 */
#ifndef INFLUXFS_CHAIN_PLACING_H
#define INFLUXFS_CHAIN_PLACING_H

#include "store/chain/cuts.h"

#include <sys/types.h>

struct placing;

/* c must outlive it. -ENOENT: nothing was ever cut. */
int placing_open(struct cuts *c, struct placing **out, struct err *e);
void placing_close(struct placing *p); /* NULL is allowed */
static inline void placing_closep(struct placing **p)
{
    placing_close(*p);
}

/* How a file is to be: the mode, owner and time of `as` (uid, gid -1: any). */

/* Whether it would be a link on the file system `dev`. -EBADMSG: the retained file is missing or
 * has another size. */
int placing_links(struct placing *p, const struct cut_entry *f, const struct file_attr *as,
                  dev_t dev, bool *yes, struct err *e);

/* Puts it into the folder under that name, which must be new there; it may be a path. *linked: as a
 * link. Errors as above, and of the system: -ENOSPC, … */
int placing_put(struct placing *p, const struct cut_entry *f, const struct file_attr *as,
                int folder, const char *name, bool *linked, struct err *e);

/* Why a TSM file or tombstone was, or would be, copied: the first cause; or "". */
const char *placing_said(const struct placing *p);

#endif
