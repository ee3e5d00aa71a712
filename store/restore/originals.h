/* SPDX-License-Identifier: MIT */
/*
 * The retained files of a cut, for a snapshot of just that cut which arrives as bytes: a TSM file or
 * tombstone that arrives with the bytes of the retained one need not be written, and becomes a link
 * of it. The two are compared byte by byte, so that nothing is put in place that did not come.
 *
 * One file at a time, by one thread. The cut stays leased until originals_close.
 */
#ifndef INFLUXFS_RESTORE_ORIGINALS_H
#define INFLUXFS_RESTORE_ORIGINALS_H

#include "store/chain/cutuse.h"
#include "store/chain/placing.h"

struct originals;

/* c must outlive it. -ENOENT: no cut that is retained has this id; others as cutuse_begin. */
int originals_open(struct cuts *c, const char *id, struct originals **out, struct err *e);
void originals_close(struct originals *o); /* NULL is allowed */

/* Whether the cut has a file `name` of the size of `as`, which can be a link on the file system `dev`
 * with its owner (uid, gid -1: any). */
bool originals_has(struct originals *o, const char *name, const struct file_attr *as, dev_t dev);

/* Whether it has the mode of `as`, too; if so, begins to compare it. */
bool originals_begin(struct originals *o, const char *name, const struct file_attr *as, dev_t dev);

/* Whether the next n bytes are those of the retained file. false: also if it cannot be read. */
bool originals_match(struct originals *o, const void *buf, size_t n);

/* Ends it. With all its bytes matched, and its time: links it as `name` in the folder, and returns 1;
 * else 0. -EEXIST: that name is there already; others of the system. */
int originals_link(struct originals *o, int64_t mtime_ns, int folder, const char *name,
                   struct err *e);

/* The bytes that matched, piece by piece: those from `at` on, in the originals' memory, until the
 * next call; *n is 0 at their end. */
int originals_piece(struct originals *o, uint64_t at, const void **bytes, size_t *n);

size_t originals_linked(const struct originals *o); /* how many files were linked so far */

#endif
