/* SPDX-License-Identifier: MIT */
/* A capture of a store to which nobody writes: one that is stopped, or lies unpacked beside it. */
#ifndef INFLUXFS_SNAPSHOT_CAPTURE_FOLDERS_H
#define INFLUXFS_SNAPSHOT_CAPTURE_FOLDERS_H

#include "store/snapshot/capture.h"

/* Captures the store whose folders are open at these descriptors, which stay the caller's; wal may
 * be -1. It has no record, as no catalogue knows of it, and may leave out any number of files. Its
 * files stay open until the last reference is dropped. Errors as capture_source_take. */
int capture_folders(int meta, int data, int wal, struct capture **out, struct err *e);

#endif
