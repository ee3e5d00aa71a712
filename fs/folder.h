/* SPDX-License-Identifier: MIT */
/* The fixed folders: those that are there as long as the mount, as plain nodes (node_new). What is in
 * one is the affair of its branch. */
#ifndef INFLUXFS_FS_FOLDER_H
#define INFLUXFS_FS_FOLDER_H

#include "fs/fs.h"

/* For their operations. Mode 0755, and the time of the mount; of a NODE_CUTS_FOLDER, that of the
 * newest cut. */
int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st);

#endif
