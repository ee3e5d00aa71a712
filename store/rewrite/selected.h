/* SPDX-License-Identifier: MIT */
/*
 * A part of a capture as a capture of its own, for a snapshot of kind "database": the shards that
 * a selection names, and a meta.db that knows nothing else.
 *
 * That meta.db holds the selected databases with the selected policies, their live shard groups
 * that have a selected shard, and, where databases are selected whole, their continuous queries and
 * subscriptions. Of the users only those who have a grant on a selected database, with these grants
 * alone; no administrators, whom no grant ties to a database. Its counters (Term, Index, greatest
 * ids) do not depend on what is not selected.
 *
 * A shard group that is marked as deleted is not in it, nor are its files. What the whole capture
 * leaves out, and its links, are told of what is selected only.
 *
 * A part has a record of its own in the catalogue: id, times, index and all bytes stay the same
 * until something in the part changes, whatever else does. Its folders meta, data and wal bear the
 * time of the part's meta.db, that is when this meta.db was first seen.
 *
 * A capture of a part holds a reference to the whole one. Safe in any thread, as captures are.
 */
#ifndef INFLUXFS_REWRITE_SELECTED_H
#define INFLUXFS_REWRITE_SELECTED_H

#include "store/influx/selection.h"
#include "store/rewrite/partmeta.h"
#include "store/snapshot/tarball.h"

/* What `exact` needs: points outside the times are left out of shards that reach over them, whose
 * TSM files are made anew for that (settled.h). */
struct selected_cutting {
    int folder;                          /* of nameless files; the caller's */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
};

/* The part of whole that *what selects, with origin.kind MANIFEST_DATABASE and origin.selection.
 * how is needed for what->exact alone. -ENOENT: nothing is selected; e says what there is. -EIO: a
 * file cannot be read; -ENOMEM; with what->exact also -EBADMSG, for damage that stands in the way,
 * -EINTR, -ENOSPC. */
int selected_new(struct capture *whole, const struct selection *what, struct catalog *catalog,
                 const struct selected_cutting *how, struct capture **out, struct err *e);

/* The same where the meta.db of whole has been taken apart; without what->exact. */
int selected_by(struct capture *whole, const struct partmeta *store, const struct selection *what,
                struct catalog *catalog, struct capture **out, struct err *e);

/* Looks at a part, of one database by its number in store; not 0 ends it. Takes over the capture. */
typedef int selected_look_fn(void *ctx, size_t i, struct capture *part);

/* The same of each database that store knows, one after the other, with one write to the catalogue.
 * -EINTR from the reader, or what look gave. */
int selected_each(struct capture *whole, const struct partmeta *store, struct catalog *catalog,
                  const struct tarball_reader *reader, selected_look_fn *look, void *ctx,
                  struct err *e);

/* Whether two captures of the live store hold the same meta.db. */
bool selected_same_meta(const struct capture *a, const struct capture *b);

/* The meta.db of a capture, to be taken apart; released with partmeta_free. -EIO: there is none. */
int selected_read_meta(const struct capture *whole, struct partmeta **out, struct err *e);

/* Whether there is each database that is excluded by name: else it is mistyped. What influxd writes
 * about itself may be missing. -ENOENT: it is not; e says what there is. -EIO, -ENOMEM. */
int selected_check_excluded(const struct capture *whole, const struct selection *what,
                            struct err *e);

#endif
