/* SPDX-License-Identifier: MIT */
/*
 * Where captures are taken from: one source for each mounted store.
 *
 * A capture is only given when nothing but influxd's ordinary work can have happened while it was
 * taken: meta.db is read last, and its folder must be the same before and after, as must the three
 * folders themselves, with no restore at work (meta/raft.db, see store/restore/install.h).
 * Otherwise it is taken again.
 *
 * Takes one capture at a time, by a lock of its own; safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_SOURCE_H
#define INFLUXFS_SNAPSHOT_SOURCE_H

#include "store/influx/paths.h"
#include "store/snapshot/capture.h"
#include "store/snapshot/window.h"

struct capture_source;

/* host is shown in manifests. The catalogue and paths stay the caller's and must outlive it. */
int capture_source_new(const struct store_paths *paths, struct catalog *catalog, const char *host,
                       struct capture_source **out);
void capture_source_free(struct capture_source *s);

/* From now on more may be left out of a capture than is in it. Before the first capture. */
void capture_source_allow_left_out(struct capture_source *s);

/* The store as it is now. Gives newest again (a new reference) if nothing has changed since;
 * newest, which is one that a source gave, may be NULL. -ENOENT: none of the three folders is
 * there. -EIO: a store that cannot be captured whole (a folder or meta.db missing, a data folder
 * that is empty although meta.db lists shards). -EAGAIN: not settled in time, or a restore is at
 * work. -EINTR: interrupted. -ENFILE: out of descriptors. */
int capture_source_take(struct capture_source *s, struct capture *newest,
                        const struct window_wait *wait, struct capture **out, struct err *e);

#endif
