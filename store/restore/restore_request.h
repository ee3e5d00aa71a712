/* SPDX-License-Identifier: MIT */
/*
 * What is wanted of a snapshot that is restored, if not that it takes the place of the store: a part
 * of it, under another name, or its points added to what is there. Nothing else of the store changes
 * (compose.h).
 *
 *   databases alone   each takes the place of the database of its name, with its policies,
 *                     continuous queries and subscriptions; it is made if it is missing
 *   and a policy      that alone takes the place of the policy
 *   shards, times     each shard takes the place of the store's shards of these times in its policy,
 *                     which is made if it is missing; with `exact` only the points at these times do
 *   as                one database, which gets this name; without `merge` there must be none of it
 *   merge             nothing is taken away: of two points of one series, field and time, the
 *                     store's (ours) or the snapshot's (theirs) counts
 *
 * A snapshot of a part (manifest.h: selection) asks by itself for the part that it holds; a request
 * can only narrow that.
 */
#ifndef INFLUXFS_RESTORE_RESTORE_REQUEST_H
#define INFLUXFS_RESTORE_RESTORE_REQUEST_H

#include "store/base/err.h"
#include "store/influx/selection.h"

#include <stdbool.h>

enum merge_mode { MERGE_NONE, MERGE_OURS, MERGE_THEIRS };

/* The strings and lists are borrowed, unless it was made by restore_request_copy or restore_request_of_path. */
struct restore_request {
    struct selection part;
    const char *as; /* NULL: every database keeps its name */
    enum merge_mode merge;
    bool all_shards; /* --union: of a set, also the shards that only an older meta knows */
};

/* Nothing but the whole, in the place of the store. */
#define RESTORE_REQUEST_NONE                                                                       \
    {                                                                                              \
        .part = SELECTION_ALL                                                                      \
    }

/* Whether more is wanted than that the snapshot takes the place of the store. NULL: no. */
bool restore_request_composes(const struct restore_request *q);

/* Whether it can be met, as far as that is known without a snapshot. -EINVAL, with a message: `as`
 * is no name for a database (names.h), or is one that influxd or influxfs uses itself (_internal,
 * .influxfs, lost+found); `as` with several databases; `exact` without a time; from is not before
 * to; `exact` with `merge`. */
int restore_request_check(const struct restore_request *q, struct err *e);

/* What the place of an upload asks for, where path is that of a file below restore/, such as
 * "as/NEWDB/now.tar", "as/NEWDB/a/b.tar", "merge/ours/now.tar" or "merge/theirs/now.tar". *out is
 * NULL for all other paths, else for the caller to free. -EINVAL, with a message: a file in as/ or
 * merge/ itself, another folder in merge/, or a NEWDB that restore_request_check refuses; -ENOMEM. */
int restore_request_of_path(const char *path, struct restore_request **out, struct err *e);

/* The same for a folder: whether one may be made at this path below restore/. -EINVAL, with a
 * message, as restore_request_of_path of a file in it; as/ and merge/ themselves may be. */
int restore_request_check_folder(const char *path, struct err *e);

/* A copy that owns its strings and lists. NULL gives NULL. -ENOMEM. */
int restore_request_copy(const struct restore_request *q, struct restore_request **out);
void restore_request_free(struct restore_request *q); /* NULL is allowed */
static inline void restore_request_freep(struct restore_request **q)
{
    restore_request_free(*q);
}

/* Whether two ask for the same; either may be NULL. */
bool restore_request_same(const struct restore_request *a, const struct restore_request *b);

/* What is asked for, for messages: "database a as b", "the shards 3, 4 of all databases". */
void restore_request_words(const struct restore_request *q, struct err *words);

#endif
