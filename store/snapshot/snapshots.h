/* SPDX-License-Identifier: MIT */
/*
 * The snapshots of one store: gives `now` as a tar, and the same one to all who ask while nothing
 * changes. The room's top; the rooms above use this header and tarball.h.
 *
 * A tarball pins the files that it captured until its last reference goes. Functions are safe in
 * any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_SNAPSHOTS_H
#define INFLUXFS_SNAPSHOT_SNAPSHOTS_H

#include "store/base/time.h"
#include "store/influx/paths.h"
#include "store/snapshot/tarball.h"

struct snapshots;

/* How long a look-up waits for a store to settle. */
#define SNAPSHOTS_SETTLE_NS (5 * SECOND_NS)

/* state is the state folder, or NULL if there is none to write to: then sums and records last as
 * long as the process. paths must outlive the result. On success *note says what was found wrong
 * with the catalogue and mended, or is empty. */
int snapshots_open(const struct store_paths *paths, const char *state, struct snapshots **out,
                   struct err *note, struct err *e);
/* More may be left out of a snapshot than is in it; before the first one. */
void snapshots_allow_left_out(struct snapshots *s);
void snapshots_close(struct snapshots *s); /* no tarball may be left; NULL is allowed */

/* The store as it is now: the same tarball for all who ask while nothing changes and one
 * of them has it. Errors as capture_source_take. The caller owes one tarball_unref. */
int snapshots_now(struct snapshots *s, const struct tarball_reader *reader, struct tarball **out,
                  struct err *e);

/* A tar of another capture, whose reference is taken over, on failure too. The caller owes one
 * tarball_unref. */
int snapshots_tarball(struct snapshots *s, struct capture *c, struct tarball **out);

/* What is remembered of the store; as long as s. */
struct catalog *snapshots_catalog(struct snapshots *s);

#endif
