/* SPDX-License-Identifier: MIT */
/* SHA256SUMS, as sha256sum(1) writes it, against the sums of what was really unpacked. */
#ifndef INFLUXFS_RESTORE_SUMS_H
#define INFLUXFS_RESTORE_SUMS_H

#include "store/base/err.h"
#include "store/base/sha256.h"
#include "store/snapshot/manifest.h"

/* of_files[i] belongs to m->files[i], of_manifest to the member `manifest`. Every one must be
 * listed once, with that sum, and nothing else. -EBADMSG, with words; -ENOMEM. Pure. */
int sums_check(const char *text, size_t len, const struct manifest *m,
               const uint8_t of_manifest[SHA256_BYTES], const uint8_t (*of_files)[SHA256_BYTES],
               struct err *e);

#endif
