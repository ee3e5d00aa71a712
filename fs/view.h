/* SPDX-License-Identifier: MIT */
/*
 * at/NAME/: a cut as files to browse, to map, and to run another influxd on.
 *
 * A view is a name in at/ and its cut. It has its own nodes, since a folder may not have two names.
 * Nothing in it changes, so the kernel may keep entries, attributes and pages.
 *
 * The first look into a view opens its cut, which leases it; the last node of the view releases it: an open handle, or any node that the kernel refers to, keeps the cut in use.
 * The kernel remembers folders long after their last use, so it is made to forget views that have
 * been idle for a while (lifetime.h). A folder in use, such as the lower layer of an overlay mount,
 * stays, and its name leads to the same node again.
 */
#ifndef INFLUXFS_FS_VIEW_H
#define INFLUXFS_FS_VIEW_H

#include "fs/fs.h"

int views_new(struct fs *fs);
void views_free(struct views *s); /* after its nodes */

/* The folder dir/name of a cut, pinned. Moving names stand for another cut over time. */
int view_lookup(struct fs *fs, const struct node *dir, const char *name, bool moving,
                const struct cut_info *cut, struct node **out);

/* The st_ino of a folder of a cut; "" is the view itself. */
ino_t view_ino(uint64_t serial, const char *path);

/* Makes the kernel forget the idle views. Holds no lock meanwhile. */
void views_expire(struct fs *fs);

#endif
