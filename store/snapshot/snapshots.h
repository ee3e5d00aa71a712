/* SPDX-License-Identifier: MIT */
/*
 * The snapshots of one store: gives `now` as a tar, shared by all users while the store does not
 * change. The main interface of store/snapshot; other folders use this header and tarball.h.
 *
 * A tarball pins its captured files until its last reference goes. Functions are safe in any
 * thread.
 */
#ifndef INFLUXFS_SNAPSHOT_SNAPSHOTS_H
#define INFLUXFS_SNAPSHOT_SNAPSHOTS_H

#include "store/base/time.h"
#include "store/influx/paths.h"
#include "store/snapshot/marks.h"
#include "store/snapshot/tarball.h"

struct snapshots;

/* How long a look-up waits for a store to settle. */
#define SNAPSHOTS_SETTLE_NS (5 * SECOND_NS)

/* state is the state folder, or NULL if none is writable: then sums and records last as long as the
 * process. paths must outlive the result. On success *note says what was repaired in the catalogue,
 * or is empty. */
int snapshots_open(const struct store_paths *paths, const char *state, struct snapshots **out,
                   struct err *note, struct err *e);
/* Allows snapshots that leave out more than they hold; call before the first one. */
void snapshots_allow_left_out(struct snapshots *s);
/* Whether the store was there, when it was opened or later, and is gone. */
bool snapshots_lost(const struct snapshots *s);
void snapshots_close(struct snapshots *s); /* no tarball may be left; NULL is allowed */

/* The store as it is now: the same tarball as before while nothing changes and it is in use. Errors
 * as capture_source_take. The caller owes one tarball_unref. */
int snapshots_now(struct snapshots *s, const struct tarball_reader *reader, struct tarball **out,
                  struct err *e);

/* The store as it is now, as far as *what selects (capture_source_part), for selected_new. before: an
 * earlier one of the same selection, which is given again while nothing in it changes; NULL: none. The
 * caller owes one capture_unref. Errors as snapshots_now. */
int snapshots_part(struct snapshots *s, const struct selection *what, struct capture *before,
                   const struct tarball_reader *reader, struct capture **out, struct err *e);

/* The store as it is now, without the files of shards that are not wanted (capture_source_changes). The
 * caller owes one capture_unref. Errors as snapshots_now. */
int snapshots_changes(struct snapshots *s, const struct marks_wanted *wanted,
                      const struct tarball_reader *reader, struct capture **out, bool *later,
                      struct err *e);

/* A tar of another capture; takes over its reference, also on failure. The caller owes one
 * tarball_unref. */
int snapshots_tarball(struct snapshots *s, struct capture *c, struct tarball **out);

/* The store's catalogue; lives as long as s. */
struct catalog *snapshots_catalog(struct snapshots *s);

#endif
