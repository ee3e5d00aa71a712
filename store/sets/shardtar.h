/* SPDX-License-Identifier: MIT */
/*
 * One shard as `influxd backup` sends it: a tar of its TSM files, DB/RP/ID/NNNNNNNNN-NNNNNNNNN.tsm in
 * the order of their names, and 1024 zero bytes (influxdb pkg/tar, archive/tar of Go: ustar, pax where
 * a field does not fit). Any range of bytes at any time; the layout is arithmetic once the files are
 * made. Safe in any thread.
 */
#ifndef INFLUXFS_SETS_SHARDTAR_H
#define INFLUXFS_SETS_SHARDTAR_H

#include "store/sets/madeshards.h"

struct shardtar;

/* Which shard, and the id that it has in the set. */
struct shardtar_of {
    struct madeshards *shards; /* must outlive what is made of it */
    size_t shard;
    uint64_t id;
};

/* Makes the shard's files, and keeps them. Errors as madeshards_get. */
int shardtar_open(const struct shardtar_of *of, const struct tarball_reader *reader,
                  struct shardtar **out, struct err *e);
void shardtar_close(struct shardtar *t); /* NULL is allowed */
static inline void shardtar_closep(struct shardtar **t)
{
    shardtar_close(*t);
}

uint64_t shardtar_size(const struct shardtar *t); /* bytes */

/* Reads the n bytes at off, which must lie within. */
int shardtar_read(const struct shardtar *t, void *buf, size_t n, uint64_t off, struct err *e);

/* A digest of all that the bytes depend on; nothing is made. */
int shardtar_digest(const struct shardtar_of *of, uint8_t out[SHA256_BYTES], struct err *e);

/* The time of the newest file that the shard consists of. */
int64_t shardtar_mtime_ns(const struct shardtar_of *of);

#endif
