/* SPDX-License-Identifier: MIT */
/* The whole store at a cut: the base with the numbers up to that cut applied. A state does not
 * change and is counted by reference; any thread may read it. Its files stay retained as long as
 * its cut is leased (cuts.h). */
#ifndef INFLUXFS_CHAIN_CUTSTATE_H
#define INFLUXFS_CHAIN_CUTSTATE_H

#include "store/chain/cutlist.h"

struct cutstate;

/* Takes over lists[0..n), also on failure: a base, then cuts that each have the one before as
 * parent. -EBADMSG: they do not fit together. */
int cutstate_build(struct cutlist **lists, size_t n, struct cutstate **out, struct err *e);

void cutstate_unref(struct cutstate *s);
static inline void cutstate_unrefp(struct cutstate **s)
{
    cutstate_unref(*s);
}

/* The head of the newest cut, but without parent and loss, since the state is complete. */
const struct cut_head *cutstate_head(const struct cutstate *s);

/* All files and folders, sorted by cut_path_cmp: the folders meta, data and wal and all below. */
const struct cut_entry *cutstate_entries(const struct cutstate *s, size_t *n);

/* The newest list, whose omissions and links hold for the state. */
const struct cutlist *cutstate_newest(const struct cutstate *s);

/* The index of path among the entries; SIZE_MAX if absent. */
size_t cutstate_find(const struct cutstate *s, const char *path);

/* The next entry, at or after i, directly in the folder; SIZE_MAX: none. Begin with
 * cutstate_first_child, continue with i + 1. "" is the root, whose children are meta, data and
 * wal. */
size_t cutstate_first_child(const struct cutstate *s, const char *folder);
size_t cutstate_next_child(const struct cutstate *s, const char *folder, size_t i);

#endif
