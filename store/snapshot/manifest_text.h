/* SPDX-License-Identifier: MIT */
/* The text of a manifest, a head, a line for each file, and a tail: only this file writes its keys,
 * for manifest.c to read. A tar's manifest is rendered line by line (listing.h); one on disk is
 * written whole (manifest_write). Functions append to a buffer. Pure. */
#ifndef INFLUXFS_SNAPSHOT_MANIFEST_TEXT_H
#define INFLUXFS_SNAPSHOT_MANIFEST_TEXT_H

#include "store/base/buffer.h"
#include "store/snapshot/manifest.h"

/* The text before the first file, and after the last one. All lists of m except files are in the
 * tail. */
void manifest_text_head(const struct manifest *m, struct buffer *out);
void manifest_text_tail(const struct manifest *m, struct buffer *out);

/* The line of a file; first: no other comes before it. */
void manifest_text_file(const struct manifest_file *f, bool first, struct buffer *out);

/* Whether JSON shows the name as it is. */
bool manifest_text_is_plain(const char *name);

/* The length of the line of a file with a plain name of len bytes, for a time not before 1970. */
size_t manifest_text_file_length(const struct manifest_file *f, size_t len, bool first);

#endif
