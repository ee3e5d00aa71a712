/* SPDX-License-Identifier: MIT */
/*
 * What a capture contains: its shards, and the outline of each, found when it is asked for.
 *
 * Outlines of TSM files are remembered in the catalogue until the files change, so that they are
 * read once in their life; those of the WAL are found again for each capture. In memory a shard's
 * outline is kept packed.
 *
 * Counted by reference; safe in any thread. Finding outlines can take long: one thread does it at a
 * time, and the others wait.
 */
#ifndef INFLUXFS_POINTS_CONTENTS_H
#define INFLUXFS_POINTS_CONTENTS_H

#include "store/points/outline.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

struct contents;

/* Takes a reference to the capture. k, which may be NULL, must outlive the result. What has been
 * found of shards that have not changed since another capture is taken over from before, unless
 * that is NULL. Errors as shards_open. */
int contents_open(struct capture *c, struct catalog *k, struct contents *before,
                  struct contents **out, struct err *e);
/* Before anything is asked of it: shards that are damaged are shown as far as they can be read. Who
 * reads the values says what is lacking (gaps.h). */
void contents_allow_damage(struct contents *c);

/* Before anything is asked of it: the capture is of the store that has this data folder and may be
 * in use, so that its influxd may know fields without values. 0 or -ENOMEM. */
int contents_live(struct contents *c, const char *data);

struct contents *contents_ref(struct contents *c);
void contents_unref(struct contents *c);      /* NULL is allowed */
bool contents_used(const struct contents *c); /* whether there is more than one reference */
static inline void contents_unrefp(struct contents **c)
{
    contents_unref(*c);
}

struct capture *contents_capture(const struct contents *c);
struct catalog *contents_catalog(const struct contents *c); /* may be NULL */
const struct shards *contents_shards(const struct contents *c);

/* Whether there is such a database, and in it such a policy. */
bool contents_has(const struct contents *c, const char *db, const char *rp);

/* The shards of a policy that may have points with from <= time < to, in the order in which influxd
 * reads them; the caller frees the list. -ENOENT, with words: there is no such database or policy.
 */
int contents_range(const struct contents *c, const char *db, const char *rp, int64_t from,
                   int64_t to, size_t **out, size_t *n, struct err *e);

/* The outline of shard i; the caller frees it. reader may interrupt (-EINTR), and be NULL. Errors
 * as outline_add_tsm. */
int contents_outline(struct contents *c, size_t i, const struct tarball_reader *reader,
                     struct outline **out, struct err *e);

/* The same, but of one measurement alone. */
int contents_measurement(struct contents *c, size_t i, struct slice measurement,
                         const struct tarball_reader *reader, struct outline **out, struct err *e);

/* Adds the fields of a measurement that influxd knows in shard i, whether or not they have values,
 * as its files said when that was asked of *c first: they are no part of the capture. Nothing
 * without contents_live. 0 or -ENOMEM, with words. */
int contents_live_fields(struct contents *c, size_t i, struct slice measurement,
                         const struct tarball_reader *reader, struct outline *o, struct err *e);

struct image;

/* What opening measurements of shard i takes from all of it (image.h), as a reference; NULL the
 * first time that it is asked for, as one measurement is opened sooner without. */
int contents_image(struct contents *c, size_t i, const struct tarball_reader *reader,
                   struct image **out, struct err *e);

/* All shards without a tsi1 index of a database, as one outline, which is as long as c. Shards that
 * are damaged are left out, as influxd does. */
int contents_shared(struct contents *c, const char *db, const struct tarball_reader *reader,
                    const struct outline **out, struct err *e);

/* The outline of the shards of a policy that may have points with from <= time < to, which the
 * caller frees. An error that comes with one is that of a shard that cannot be read: it is the
 * outline of the others. */
int contents_outlines(struct contents *c, const char *db, const char *rp, int64_t from, int64_t to,
                      const struct tarball_reader *reader, struct outline **out, struct err *e);

/* The days on which these shards have points, which the caller clears; likewise those of the shards
 * that can be read, if there is an error. */
int contents_days(struct contents *c, const char *db, const char *rp, int64_t from, int64_t to,
                  const struct tarball_reader *reader, struct days *out, struct err *e);

#endif
