/* SPDX-License-Identifier: MIT */
/*
 * The whole store as it was at a cut: the base with the numbers up to that cut applied.
 *
 * A state does not change and is counted by reference; any thread may read it. What it says is
 * retained stays so as long as its cut is leased (cuts.h).
 */
#ifndef INFLUXFS_CHAIN_CUTSTATE_H
#define INFLUXFS_CHAIN_CUTSTATE_H

#include "store/chain/cutlist.h"

struct cutstate;

/* Takes over lists[0..n), of which the first is a base and each other follows the one before it
 * (its parent is that one's id). Frees them on failure too. -EBADMSG: they do not fit. */
int cutstate_build(struct cutlist **lists, size_t n, struct cutstate **out, struct err *e);

void cutstate_unref(struct cutstate *s);
static inline void cutstate_unrefp(struct cutstate **s)
{
    cutstate_unref(*s);
}

/* Of the newest cut in it: parent is "", since nothing is missing, and it tells of no loss. */
const struct cut_head *cutstate_head(const struct cutstate *s);

/* All files and folders, sorted by cut_path_cmp: the folders meta, data and wal and all below. */
const struct cut_entry *cutstate_entries(const struct cutstate *s, size_t *n);

/* The newest list in it: what it says of what was left out, and of links, holds for the state. */
const struct cutlist *cutstate_newest(const struct cutstate *s);

/* Where path stands among the entries; SIZE_MAX if it is not there. */
size_t cutstate_find(const struct cutstate *s, const char *path);

/* The next entry, at or after i, that lies directly in the folder, or SIZE_MAX. Begin with
 * cutstate_first_child; go on with i + 1. "" is the root, whose children are meta, data and wal. */
size_t cutstate_first_child(const struct cutstate *s, const char *folder);
size_t cutstate_next_child(const struct cutstate *s, const char *folder, size_t i);

#endif
