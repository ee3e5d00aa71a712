/* SPDX-License-Identifier: MIT */
/* The key `selection` of a manifest: which part of a store a snapshot is of (influxfs-snapshot(5)). */
#ifndef INFLUXFS_SNAPSHOT_MANIFEST_SELECTION_H
#define INFLUXFS_SNAPSHOT_MANIFEST_SELECTION_H

#include "store/base/sha256.h"
#include "store/influx/selection.h"

struct json_object;

/* The caller puts it; NULL when out of memory. The same text for the same selection, if it is a
 * copy (selection_copy). */
struct json_object *manifest_selection_json(const struct selection *s);

/* Reads an untrusted one. The caller releases *out with selection_free. -EBADMSG; -ENOMEM. */
int manifest_selection_read(struct json_object *o, struct selection **out);

/* A digest of what it selects, for records of `what` it is (a word). Selections that are the same have one, if
 * they are copies (selection_copy). -ENOMEM. */
int manifest_selection_digest(const struct selection *s, const char *what,
                              uint8_t out[SHA256_BYTES]);

#endif
