/* SPDX-License-Identifier: MIT */
/*
 * Uploads a run: mark (which makes the container), objects one after the other, their sums, the receipt;
 * and removes the mark. Each is verified before the next one begins, and a kill between any two of them leaves a day
 * that does not count, for archive_clean.h to clean.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_UPLOAD_H
#define INFLUXFS_NIGHTLY_ARCHIVE_UPLOAD_H

#include "mount-helper/nightly/archive_place.h"
#include "mount-helper/nightly/archive_source.h"

/* receipt is filled in but for its objects, which are added. Errors as putting_object: then nothing of
 * the run counts, and what of it lies there is removed now if the remote answers, else by the next run. */
int archive_upload(const struct archive_place *place, struct archive_source *source,
                   bool verify_read, struct receipt *receipt, struct err *e);

#endif
