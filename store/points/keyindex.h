/* SPDX-License-Identifier: MIT */
/*
 * Where each measurement begins in the index of each TSM file of a shard. One walk finds all of
 * them: a TSM index has no table of its keys.
 *
 * Counted by reference; does not change once made, and may be read by any number of threads.
 * Memory: about fifty bytes and the name for each measurement in each file.
 */
#ifndef INFLUXFS_POINTS_KEYINDEX_H
#define INFLUXFS_POINTS_KEYINDEX_H

#include "store/influx/tsmfile.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

struct keyindex;

/* Walks the indexes of all files of *sh. Errors: -EINTR from the reader (which may be NULL);
 * -EBADMSG for damage; -ENOMEM; as capture_read. */
int keyindex_open(const struct capture *c, const struct shard_files *sh,
                  const struct tarball_reader *reader, struct keyindex **out, struct err *e);
struct keyindex *keyindex_ref(struct keyindex *k);
void keyindex_unref(struct keyindex *k); /* NULL is allowed */
static inline void keyindex_unrefp(struct keyindex **k)
{
    keyindex_unref(*k);
}

/* Where the keys of a measurement, escaped as in keys, begin in TSM file i of the shard; false: the
 * file has none. */
bool keyindex_find(const struct keyindex *k, size_t i, struct slice measurement,
                   struct tsmfile_place *out);

#endif
