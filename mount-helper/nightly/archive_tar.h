/* SPDX-License-Identifier: MIT */
/* The tar of an archive on the remote, whose objects are its parts, read from its beginning. */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_TAR_H
#define INFLUXFS_NIGHTLY_ARCHIVE_TAR_H

#include "mount-helper/nightly/archived.h"
#include "store/snapshot/manifest.h"

/* The manifest of a full or an incremental run, which has objects; the caller frees it. Little more is
 * read. -EINVAL, -EBADMSG: it is no snapshot, or damaged; others of the remote. */
int archive_tar_manifest(struct remote *r, const char *format, const struct archived_run *run,
                         struct manifest **out, struct err *e);

#endif
