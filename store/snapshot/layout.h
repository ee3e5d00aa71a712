/* SPDX-License-Identifier: MIT */
/*
 * Where each member of a capture stands in the texts that have something of each: the tar itself, the
 * manifest and SHA256SUMS.
 *
 * All of it follows from names, sizes and times, so the length of a text is known without making it.
 * Lengths are added up run by run, and what was found of a run stays with it: the layout of a capture
 * costs what has changed since the one before. Within a run only the places of every 32nd member are
 * stored. Immutable, and safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_LAYOUT_H
#define INFLUXFS_SNAPSHOT_LAYOUT_H

#include "store/snapshot/capture.h"

struct layout;

enum layout_text { IN_TAR, IN_MANIFEST, IN_SUMS, LAYOUT_TEXTS };

/* The capture must outlive the layout. 0 or -errno. */
int layout_new(const struct capture *c, struct layout **out);
void layout_free(struct layout *l); /* NULL is allowed */

/* The bytes of all members: in the tar their headers, and their bodies in whole blocks; in the other
 * two their lines. */
uint64_t layout_size(const struct layout *l, enum layout_text t);

/* The bytes of member i. -EIO or -ENOMEM: that cannot be found out again. */
int layout_length(const struct layout *l, enum layout_text t, size_t i, uint64_t *out);

/* The member that holds byte off, where it begins, and its bytes; off must be below the size. Errors as
 * above. */
struct layout_place {
    size_t i;
    uint64_t at, len;
};
int layout_find(const struct layout *l, enum layout_text t, uint64_t off, struct layout_place *out);

/* Whether member i is the first file, whose line in the manifest has no comma before it. */
bool layout_is_first_file(const struct layout *l, size_t i);

#endif
