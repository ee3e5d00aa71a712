/* SPDX-License-Identifier: MIT */
/* Puts the files of a merged shard into staging. */
#ifndef INFLUXFS_RESTORE_MERGE_STAGE_H
#define INFLUXFS_RESTORE_MERGE_STAGE_H

#include "store/restore/compose_impl.h"
#include "store/rewrite/merge_shard.h"

/* Stages a shard whose files of the store (whose capture is `ours`) were mirrored under their names,
 * unless it is cut (compose_cuts).
 * tsi1: whether it gets an index of its own if it is new. Errors as stage.h. */
int merge_stage(struct compose *c, const struct compose_shard *s, const struct merge_shard *m,
                const struct capture *ours, bool tsi1, struct err *e);

#endif
