/* SPDX-License-Identifier: MIT */
/* Copies a TSM file without some of its keys: blocks as they lie, checked against their CRCs. */
#ifndef INFLUXFS_REWRITE_MERGE_FILTER_H
#define INFLUXFS_REWRITE_MERGE_FILTER_H

#include "store/influx/source.h"
#include "store/influx/tsmwriter.h"

/* Whether the key stays. */
typedef bool merge_filter_fn(void *ctx, struct slice key, enum value_type type);

/* Errors: -EBADMSG for damage, with the file and the place; -ENOMEM; those of the source and of the
 * output. Memory: one block, and that of a tsmwriter, for which `folder` is. */
int merge_filter(const struct source *tsm, merge_filter_fn *stays, void *ctx,
                 const struct tsmwriter_output *out, int folder, struct err *e);

#endif
