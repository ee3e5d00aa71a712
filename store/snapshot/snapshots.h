/* SPDX-License-Identifier: MIT */
/*
 * The snapshots of one store: gives `now` as a tar, and shares what can be shared between those
 * who ask. The room's top; what stands above uses this header and tarball.h.
 *
 * A tarball pins the files that it captured until its last user lets go of it. Functions are safe
 * in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_SNAPSHOTS_H
#define INFLUXFS_SNAPSHOT_SNAPSHOTS_H

#include "store/influx/paths.h"
#include "store/snapshot/tarball.h"

struct snapshots;

/* How long a look-up waits for a store to settle. */
#define SNAPSHOTS_SETTLE_NS ((int64_t)5 * 1000000000)

/* state is the state folder, or NULL if there is none to write to: then sums and records last as
 * long as the process. paths must outlive the result. On success *note says what was found wrong
 * with the catalogue and mended, or is empty. */
int snapshots_open(const struct store_paths *paths, const char *state, struct snapshots **out,
                   struct err *note, struct err *e);
/* More may be left out of a snapshot than is in it; before the first one. */
void snapshots_allow_left_out(struct snapshots *s);
void snapshots_close(struct snapshots *s); /* every tarball must have been put */

/* The store as it is now; errors as capture_take. The caller owes one snapshots_put. */
int snapshots_now(struct snapshots *s, const struct tarball_reader *reader, struct tarball **out,
                  struct err *e);
void snapshots_put(struct snapshots *s, struct tarball *t);

/* A tar of another capture. The caller's reference to c is taken over, on failure too, and one
 * snapshots_put is owed. */
int snapshots_share(struct snapshots *s, struct capture *c, struct tarball **out);

/* What is remembered of the store; as long as s. */
struct catalog *snapshots_catalog(struct snapshots *s);

/* What the catalogue lacks just now, in words, or empty. */
void snapshots_trouble(struct snapshots *s, struct err *out);

#endif
