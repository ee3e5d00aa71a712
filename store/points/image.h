/* SPDX-License-Identifier: MIT */
/*
 * What opening a measurement takes from all of a shard, found once for many of them: the WAL
 * replayed, and where each measurement begins in the index of each TSM file.
 *
 * Counted by reference; does not change once made, and may be read by any number of threads.
 * Memory: what a WAL of up to 16 MiB unpacks to, and some ten bytes for each measurement in each
 * file.
 */
#ifndef INFLUXFS_POINTS_IMAGE_H
#define INFLUXFS_POINTS_IMAGE_H

#include "store/points/table.h"

struct image;

/* The capture and *sh must outlive it. Errors as table_open. */
int image_new(const struct capture *c, const struct shard_files *sh,
              const struct tarball_reader *reader, struct image **out, struct err *e);
struct image *image_ref(struct image *m);
void image_unref(struct image *m); /* NULL is allowed */

/* All keys of the WAL, as a table without files; NULL: it is too large to be kept. */
struct table *image_wal(const struct image *m);

/* Where the keys of a measurement, escaped as in keys, begin in TSM file i; false: it has none. */
bool image_find(const struct image *m, size_t i, struct slice measurement,
                struct tsmfile_place *out);

#endif
