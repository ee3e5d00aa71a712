/* SPDX-License-Identifier: MIT */
/*
 * A cut to look around in: its files and folders by their paths, in memory that does not grow with the
 * store (cutpages.h). The cut is leased as long.
 *
 * Safe in any thread, but for opening and closing.
 */
#ifndef INFLUXFS_CHAIN_CUTVIEW_H
#define INFLUXFS_CHAIN_CUTVIEW_H

#include "store/chain/cuts.h"

struct cutview;

/* c must outlive it. Reads the manifests once. -ENOENT: there is no such cut (any more); -EBADMSG: a
 * manifest is damaged. */
int cutview_open(struct cuts *c, uint64_t serial, struct cutview **out, struct err *e);
void cutview_close(struct cutview *v); /* NULL is allowed */
static inline void cutview_closep(struct cutview **v)
{
    cutview_close(*v);
}

const struct cut_head *cutview_head(const struct cutview *v);

/* What is done with a file or folder, of the number i; it is valid until the function returns, and what
 * that returns, if it is not 0, ends the call. */
typedef int cutview_fn(void *ctx, size_t i, const struct cut_entry *entry);

/* The file or folder of that path. -ENOENT, without a message; else as cutpages_get. */
int cutview_find(struct cutview *v, const char *path, cutview_fn *fn, void *ctx, struct err *e);

/* What is directly in a folder, bytewise; "" is the root, which has meta, data and wal. */
int cutview_list(struct cutview *v, const char *folder, cutview_fn *fn, void *ctx, struct err *e);

/* Closes the manifests, unless they are just being read, until they are needed again: they are as many as
 * there are cuts up to this one. */
void cutview_rest(struct cutview *v);

#endif
