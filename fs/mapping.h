/* SPDX-License-Identifier: MIT */
/*
 * Files whose data bypass the page cache can be mapped (mmap, MAP_SHARED for reading too), where
 * the kernel has that: Linux from 6.6. Bypassing makes tars and dumps much faster to read. Since
 * they never change, nothing can be seen differently through a mapping.
 *
 * The kernel offers it with a flag of the second half of FUSE's first exchange, which libfuse
 * before 3.15 cannot set; so it is set in the answer as it passes by.
 */
#ifndef INFLUXFS_FS_MAPPING_H
#define INFLUXFS_FS_MAPPING_H

#include <fuse_lowlevel.h>

/* After fuse_session_mount, before the first request. -errno. */
int mapping_allow(struct fuse_session *session);

#endif
