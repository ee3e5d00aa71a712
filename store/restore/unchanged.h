/* SPDX-License-Identifier: MIT */
/* Whether a store is as it was when it was looked at: a digest of all that lies in its folders. */
#ifndef INFLUXFS_RESTORE_UNCHANGED_H
#define INFLUXFS_RESTORE_UNCHANGED_H

#include "store/base/err.h"
#include "store/base/sha256.h"
#include "store/restore/target.h"

/* A digest of the name, type, size, inode and time of change of every entry below the store's three
 * folders, without what a restore puts there itself. Links to files do not change it. -errno, with a
 * message: a folder cannot be read. */
int unchanged_digest(const struct targets *t, uint8_t out[SHA256_BYTES], struct err *e);

#endif
