/* SPDX-License-Identifier: MIT */
/*
 * A shard as TSM files alone, as an influxd that flushed its cache and then compacted deletes away
 * would leave it: for what knows no WAL and no tombstones.
 *
 * - A TSM file without a tombstone is passed through: it is the capture's member.
 * - One with a tombstone is written anew without what that deletes, under its name. Blocks from
 *   which nothing is deleted are copied as they lie. If nothing is deleted at all the file is passed
 *   through; if nothing is left it is not there.
 * - What the WAL holds becomes one more file (or several, of 2 GiB) that influxd reads after all
 *   others, so that its values count, as those of influxd's cache do.
 *
 * Where only a range of times is wanted, a file that lies within it is passed through; of others the
 * blocks within are copied and those at its edges cut.
 *
 * A field that has another type in the WAL than in the TSM files keeps both, as after a flush of
 * influxd. influxd does not open such a shard, before or after ("field type conflict", influxdb
 * issue 8689, tsdb/engine/tsm1/engine.go addToIndexFromKey).
 *
 * What is made lies in one nameless file; its bytes are a function of what settled_digest sums up.
 * Memory: the unpacked WAL, a block, what the tombstone of a file deletes. Once made it does not
 * change, and may be read by any number of threads.
 */
#ifndef INFLUXFS_REWRITE_SETTLED_H
#define INFLUXFS_REWRITE_SETTLED_H

#include "store/base/sha256.h"
#include "store/points/deletes.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

/* Every point. */
#define SETTLED_ALL ((struct time_range){INT64_MIN, INT64_MAX})

struct settled_query {
    const struct capture *capture; /* this and *shard must outlive the result */
    const struct shard_files *shard;
    struct time_range range; /* of the points wanted, both included; SETTLED_ALL */
    int folder; /* a descriptor, the caller's, of a folder where nameless files can be made */
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
};

struct settled_file {
    const char *name; /* "000000001-000000001.tsm"; as long as the result */
    uint64_t size;    /* bytes */
    int64_t mtime_ns; /* the latest of what it was made from */
    size_t member;    /* of the capture, if it is passed through; MEMBER_NONE: it was made */
};

struct settled;

/* Whether the list of files alone shows that nothing has to be made: there are no tombstones, no
 * bytes of WAL, and all times are wanted. */
bool settled_is_plain(const struct settled_query *q);

/* A digest of all that the result depends on, but for the bytes of files that are passed through: to
 * remember sizes by (catalog.h, derived files). 0 or -ENOMEM. */
int settled_digest(const struct settled_query *q, uint8_t out[SHA256_BYTES], struct err *e);

/* Errors, with the file and the cause in *e: -EBADMSG for damage, unless the gaps allow it, in what
 * is read: files that are passed through for want of a tombstone are not; -EOVERFLOW: no name for a
 * TSM file sorts after those in the shard; -EINTR; what writing to the folder says; -ENOMEM; as
 * capture_read. */
int settled_open(const struct settled_query *q, struct settled **out, struct err *e);
void settled_free(struct settled *s); /* NULL is allowed */
static inline void settled_freep(struct settled **s)
{
    settled_free(*s);
}

/* The files in influxd's order: the value of a later one counts. There may be none. */
size_t settled_count(const struct settled *s);
const struct settled_file *settled_at(const struct settled *s, size_t i);

/* Reads n bytes at off of file i, which must lie within its size, be it a member or made. */
int settled_read(const struct settled *s, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e);

#endif
