/* SPDX-License-Identifier: MIT */
/* The inside of clones (clone.c): their files (clonetree.c) and their influxdb.conf (cloneconf.c). */
#ifndef INFLUXFS_INFLUXSNAP_CLONE_INTERNAL_H
#define INFLUXFS_INFLUXSNAP_CLONE_INTERNAL_H

#include "store/chain/cuts.h"

/* The store as it was at a cut, as the lower layer of a clone: fills the empty folder open at fd
 * with meta/, data/ and wal/, with the modes, owners and times that the cut has. Files that influxd
 * never changes are hard links to the retained ones where possible; everything else is copied.
 * -EINTR when the program is to stop. */
int clonetree_build(struct cuts *c, const struct cutstate *s, int fd, struct err *e);

/* The influxdb.conf for the store in FOLDER/meta, FOLDER/data and FOLDER/wal: an influxd that runs
 * on it answers queries, and does nothing to the outside or to the points by itself. It listens on
 * loopback, at ports that were free a moment ago, and asks for passwords if `auth`. First of all, in
 * comments, it says what the clone is and how to end it. The caller frees *text. -ENOMEM; others
 * from the system. */
int cloneconf_text(const char *folder, const char *cut, const char *time, bool auth, char **text);

#endif
