/* SPDX-License-Identifier: MIT */
/*
 * A cut in use: leased, unless its disk is read-only, so that neither it nor what comes after it is folded
 * and its files stay retained, and read as streams (cutstream.h), so that memory does not grow with the store.
 *
 * Does not change once made. Any thread may open streams; each of them is for one thread.
 */
#ifndef INFLUXFS_CHAIN_CUTUSE_H
#define INFLUXFS_CHAIN_CUTUSE_H

#include "store/chain/cuts.h"
#include "store/chain/cutstream.h"

struct cutuse;

/* c must outlive it. Checks the seals of all manifests that the state is made of. -ENOENT: there is no
 * such cut (any more); -EBADMSG: a manifest is damaged. */
int cutuse_begin(struct cuts *c, uint64_t serial, struct cutuse **out, struct err *e);
void cutuse_end(struct cutuse *u); /* NULL is allowed */
static inline void cutuse_endp(struct cutuse **u)
{
    cutuse_end(*u);
}

struct cuts *cutuse_cuts(const struct cutuse *u);

/* The head of the cut, but without parent and loss, since the state is complete. */
const struct cut_head *cutuse_head(const struct cutuse *u);

/* What was left out, and links; without files, folders and removed names. */
const struct cutlist *cutuse_list(const struct cutuse *u);

/* The mode, owner and time of the folder with which the state begins: meta, if there is one. All zero:
 * the state is empty. */
const struct file_attr *cutuse_top(const struct cutuse *u);

/* The whole state: meta, data, wal and all below. The caller frees *out, before cutuse_end. -ENOENT, -ESTALE:
 * the cuts were taken away, or begun anew. */
int cutuse_stream(const struct cutuse *u, struct cutstream **out, struct err *e);

/* The file or folder of that path; its path is not set. -ENOENT, without a message. */
int cutuse_find(const struct cutuse *u, const char *path, struct cut_entry *out, struct err *e);

#endif
