/* SPDX-License-Identifier: MIT */
/* The inside of clones (clone.c): their files (clonetree.c) and influxdb.conf (cloneconf.c). */
#ifndef INFLUXFS_INFLUXSNAP_CLONE_INTERNAL_H
#define INFLUXFS_INFLUXSNAP_CLONE_INTERNAL_H

#include "store/chain/cutuse.h"

/* Fills the empty folder open at fd with meta/, data/ and wal/ of a cut, with their modes, owners
 * and times: the lower layer of a clone. Files that influxd never changes are hard links to the
 * retained ones where possible; all else is copied. -EINTR when the program is to stop. */
int clonetree_build(const struct cutuse *u, int fd, struct err *e);

/* The influxdb.conf for the store in FOLDER/meta, FOLDER/data and FOLDER/wal. Its influxd answers
 * queries, and changes no points and contacts no other server by itself. It listens on loopback, at
 * ports that were free a moment ago, and asks for passwords if `auth`. Comments at the top say what
 * the clone is and how to end it. The caller frees *text. -ENOMEM; others from the system. */
int cloneconf_text(const char *folder, const char *cut, const char *time, bool auth, char **text);

#endif
