/* SPDX-License-Identifier: MIT */
/* Compares SHA256SUMS, as sha256sum(1) writes it, with the sums of what was unpacked. */
#ifndef INFLUXFS_RESTORE_SUMS_H
#define INFLUXFS_RESTORE_SUMS_H

#include "store/base/err.h"
#include "store/base/sha256.h"
#include "store/snapshot/manifest.h"

/* 0 if the text lists `manifest` with of_manifest and each of m->files with of_files[i], once each,
 * and nothing else; else -EBADMSG with a message; -ENOMEM. Pure. */
int sums_check(const char *text, size_t len, const struct manifest *m,
               const uint8_t of_manifest[SHA256_BYTES], const uint8_t (*of_files)[SHA256_BYTES],
               struct err *e);

#endif
