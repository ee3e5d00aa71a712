/* SPDX-License-Identifier: MIT */
/*
 * What is known of a file that is made from the store when it is read (a dump, a tar of a cut),
 * under the digest of all that its bytes depend on. The maker says what goes into the digest.
 *
 * A help and no more: some hundred thousand are remembered, those that were asked for last.
 */
#ifndef INFLUXFS_SNAPSHOT_CATALOG_DERIVED_H
#define INFLUXFS_SNAPSHOT_CATALOG_DERIVED_H

#include "store/snapshot/catalog.h"

struct catalog_derived {
    uint64_t size; /* bytes */
    bool have_crc, have_sum;
    uint32_t crc; /* CRC-32 of the bytes, as zlib computes it */
    uint8_t sum[SHA256_BYTES];
};

/* -ENOENT: it is not known. */
int catalog_get_derived(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        struct catalog_derived *out, struct err *e);

/* Takes the place of what was known under this digest. */
int catalog_put_derived(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        const struct catalog_derived *value, struct err *e);

#endif
