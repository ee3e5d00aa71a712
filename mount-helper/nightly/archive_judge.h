/* SPDX-License-Identifier: MIT */
/* What an operator must know of an archive: what is not in it, and what is gone since the one before
 * it. Each is said on stderr. */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_JUDGE_H
#define INFLUXFS_NIGHTLY_ARCHIVE_JUDGE_H

#include "mount-helper/nightly/archive_past.h"
#include "mount-helper/nightly/archive_source.h"

/* What the snapshot lacks; also in words, as left_out of the receipt. *omits: data could be missed.
 * -ENOMEM. */
int archive_judge_lacks(struct archive_source *source, struct receipt *receipt, bool *omits,
                        struct err *e);

/* Whether a database of the newest archive is gone, or more of the chain than --guard allows: as after a
 * database was dropped by mistake. */
bool archive_judge_shrunk(const struct archive_past *past, const struct archive_source *source,
                          const struct receipt *receipt, const struct options *o);

#endif
