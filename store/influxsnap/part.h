/* SPDX-License-Identifier: MIT */
/* What the next snapshot of a chain holds: the whole store, or what has changed since the chain. */
#ifndef INFLUXFS_INFLUXSNAP_PART_H
#define INFLUXFS_INFLUXSNAP_PART_H

#include "store/influxsnap/changes.h"
#include "store/influxsnap/tarset.h"
#include "store/snapshot/snapshots.h"

struct part {
    struct tarball *tar;    /* NULL: nothing has changed */
    struct changes changes; /* the files and bytes in it */
};

/* Both take `now`, a tarball of s, and give a part that the caller releases with part_clear before
 * s is closed. */

/* Everything, as the first of a chain: of the whole store, or of a part that was selected. */
int part_full(struct snapshots *s, struct tarball *now, struct part *out, struct err *e);

/* What has changed since the chain, which is one (tarset_one_chain), and whose manifests list their
 * folders. on_disk: its files can be read, so that a change of nothing but what influxd notes about
 * itself is none; else one of meta.db counts in any case. -EBADMSG: as changes_find. */
int part_since(struct snapshots *s, struct tarball *now, const struct tarset *chain, bool on_disk,
               struct part *out, struct err *e);

void part_clear(struct part *p);

#endif
