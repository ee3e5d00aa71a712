/* SPDX-License-Identifier: MIT */
/*
 * The source of captures: one for each mounted store.
 *
 * A capture is given only if nothing but influxd's ordinary work can have happened meanwhile:
 * meta.db is read last; its folder and the three root folders must be the same before and after;
 * and no restore may be at work (meta/raft.db, see store/restore/install.h). Otherwise the capture
 * is taken again.
 *
 * Takes one capture at a time, under a lock of its own; safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_SOURCE_H
#define INFLUXFS_SNAPSHOT_SOURCE_H

#include "store/influx/paths.h"
#include "store/influx/selection.h"
#include "store/snapshot/capture.h"
#include "store/snapshot/marks.h"
#include "store/snapshot/window.h"

struct capture_source;

/* host is shown in manifests. paths and the catalogue must outlive the source. */
int capture_source_new(const struct store_paths *paths, struct catalog *catalog, const char *host,
                       struct capture_source **out);
void capture_source_free(struct capture_source *s);

/* Allows captures that leave out more than they hold. Call before the first capture. */
void capture_source_allow_left_out(struct capture_source *s);

/* Whether a store was there, when the source was made or later, and has none of its folders now. */
bool capture_source_lost(const struct capture_source *s);

/* The store as it is now. Returns a new reference to newest, which is from a source or NULL, if
 * nothing has changed since. -ENOENT: all three folders are missing, and always were. -EIO: the
 * store cannot be captured whole (it is lost; a folder or meta.db is missing; or the data folder is
 * empty although meta.db lists shards). -EAGAIN: not settled in time, or a restore is at work. -EINTR: interrupted.
 * -ENFILE: out of descriptors. */
int capture_source_take(struct capture_source *s, struct capture *newest,
                        const struct window_wait *wait, struct capture **out, struct err *e);

/* The store as it is now, as far as *what selects: the whole meta.db, the shards that are selected,
 * those that may be as meta.db does not know them, and the folders that they are in. It is no state of
 * the store, and no snapshot, but what one of a part is made of (store/rewrite/selected.h); its files
 * have their indexes and sums, and its record is its own. Only what is selected is looked at and held
 * open, and nothing else makes it fail, unless shards are mixed up (unlisted.h); what earlier captures hold of it is shared. Returns a new
 * reference to `before`, which is an earlier one of the same selection or NULL, if nothing in it has
 * changed since. newest: a capture of the whole, or NULL. Errors as above. */
int capture_source_part(struct capture_source *s, const struct selection *what,
                        struct capture *before, struct capture *newest,
                        const struct window_wait *wait, struct capture **out, struct err *e);

/* The store as it is now, but without the files of shards that are not wanted: `listed` of the runs of
 * these is false (capture.h). *later: some are to be listed by the next one; then the capture has no
 * record, and is no state. Errors as above. */
int capture_source_changes(struct capture_source *s, const struct marks_wanted *wanted,
                           const struct window_wait *wait, struct capture **out, bool *later,
                           struct err *e);

#endif
