/* SPDX-License-Identifier: MIT */
/* The store as it was at a cut, as files: the lower layer of a clone. */
#ifndef INFLUXFS_INFLUXSNAP_CLONETREE_H
#define INFLUXFS_INFLUXSNAP_CLONETREE_H

#include "store/chain/cuts.h"

/* Fills the empty folder open at fd with meta/, data/ and wal/, with the modes, owners and times
 * that the cut has. Files that influxd never changes are hard links to the retained ones where
 * possible; everything else is copied. -EINTR when the program is to stop. */
int clonetree_build(struct cuts *c, const struct cutstate *s, int fd, struct err *e);

#endif
