/* SPDX-License-Identifier: MIT */
/*
 * at/NAME/: a cut as files to browse, to map, and to run another influxd on.
 *
 * A view is a name in at/ and the cut that it stands for. It has nodes of its own, since no folder
 * may have two names. What is in it never changes, so the kernel may keep all of it: entries,
 * attributes and pages.
 *
 * A view gets the state of its cut, and with that leases it, when somebody looks into it, and lets
 * go of it with its last node: while a handle is open or the kernel refers to any of its nodes the
 * cut is in use. The kernel remembers folders long after their last use, so views that have been
 * idle for a while (lifetime.h) are taken out of its memory. A folder that is in use, as by an overlay mount, stays
 * all the same; what stands at its name by then is the same node again.
 */
#ifndef INFLUXFS_FS_VIEW_H
#define INFLUXFS_FS_VIEW_H

#include "fs/fs.h"

int views_new(struct fs *fs);
void views_free(struct views *s); /* after its nodes */

/* The folder dir/name of a cut, pinned. Moving names stand for another cut from time to time. */
int view_lookup(struct fs *fs, const struct node *dir, const char *name, bool moving,
                const struct cut_info *cut, struct node **out);

/* The st_ino of a folder of a cut; "" is the view itself. */
ino_t view_ino(uint64_t serial, const char *path);

/* Has the kernel forget the views that are idle. Holds no lock while it does. */
void views_expire(struct fs *fs);

#endif
