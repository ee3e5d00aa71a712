/* SPDX-License-Identifier: MIT */
/*
 * Two texts about a capture, readable at any offset without being stored: the manifest (JSON, the
 * first member of a snapshot) and SHA256SUMS (in the format of sha256sum(1), the last).
 *
 * Both have one line for each file. Lines are rendered when read; their places come from the layout.
 * Line lengths do not depend on the sums, so the place of SHA256SUMS in the tar is known before the
 * data are read. Immutable, and safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_LISTING_H
#define INFLUXFS_SNAPSHOT_LISTING_H

#include "store/snapshot/layout.h"

struct listing;

/* The capture and its layout must outlive the listing. */
int listing_manifest(const struct capture *c, const struct layout *layout, struct listing **out);
/* manifest_sum gives the sum of the manifest's bytes when its line is read; 0 or -errno. */
typedef int listing_sum_fn(void *ctx, uint8_t sum[SHA256_BYTES]);
int listing_sums(const struct capture *c, const struct layout *layout, listing_sum_fn *manifest_sum,
                 void *ctx, struct listing **out);
void listing_free(struct listing *l);

uint64_t listing_size(const struct listing *l);

/* Copies bytes [off, off+n), which must lie within the size. SHA256SUMS needs all sums that
 * listing_members names: -EIO if one is unknown. */
int listing_read(const struct listing *l, char *buf, size_t n, uint64_t off);

/* Which members [*first, *end) have a line in [off, off+n). Errors as layout_find. */
int listing_members(const struct listing *l, uint64_t off, uint64_t n, size_t *first, size_t *end);

#endif
