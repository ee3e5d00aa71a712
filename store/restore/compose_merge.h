/* SPDX-License-Identifier: MIT */
/*
 * Composing (compose_impl.h) where points are added to a database that is there: which shards come
 * from where (merge_plan.h), and their files (merge_shard.h).
 *
 * influxd finds the series of a changed shard anew at its next start, and adds to the database's
 * series file what is new: the indexes of other shards stay.
 */
#ifndef INFLUXFS_RESTORE_COMPOSE_MERGE_H
#define INFLUXFS_RESTORE_COMPOSE_MERGE_H

#include "store/restore/compose_impl.h"
#include "store/restore/mirror.h"

struct compose_merge;

/* Plans the merge of a database of c->incoming into `here`, one of c->meta, which gets the groups and
 * shards that it lacks: adds to c's plan and to the count, and keeps the rest in c->merge. Shards
 * that do not line up are read. Errors, with a message: -EBADMSG for damage; -EIO: the store or the
 * snapshot cannot be read whole; -ENOMEM, … */
int compose_merge_plan(struct compose *c, const struct metaedit_item *theirs,
                       const struct metaedit_item *here, struct composed_database *count,
                       struct err *e);

/* What of a merged shard is mirrored from the store: not what influxd makes anew, and not the WAL
 * where the snapshot's points win. path: below data/ or wal/, of this many components. MIRROR_ALL
 * for all else. */
enum mirror_choice compose_merge_choose(const struct compose *c, enum target_kind kind,
                                        const char *path, int depth);

/* Puts the merged shards into staging, after all else is there. Errors, with a message: as
 * merge_shard_open and stage.h. */
int compose_merge_fill(struct compose *c, struct err *e);

void compose_merge_free(struct compose_merge *m); /* NULL is allowed */

#endif
