/* SPDX-License-Identifier: MIT */
/*
 * The points of several shards as one shard: those of a shard of the store (home), to which those of
 * others (parts) are added. Of two points with the same series, field and time, that of the later
 * part counts, and home comes before all parts or after them.
 *
 * Files stay as they lie and are put in order by their names (merge_order.h). Of the parts, what the
 * WAL holds and what has tombstones is written anew (settled.h), as is what lies partly in other
 * shards. Home keeps its tombstones, which hold for their own files only; its WAL stays where home
 * wins, as it comes after all files, and becomes a file of its own below the parts where they win.
 *
 * A field has one type in a shard. Where a part has another than home, or than a part before it,
 * influxd would refuse the part's values: they are left out, and the field is told.
 *
 * The result is a list of files. Once made it does not change, and may be read by any number of
 * threads. Memory: as settled.h, with the files' names and an entry for each field of the
 * shards.
 */
#ifndef INFLUXFS_REWRITE_MERGE_SHARD_H
#define INFLUXFS_REWRITE_MERGE_SHARD_H

#include "store/rewrite/merge_order.h"
#include "store/rewrite/merge_types.h"
#include "store/rewrite/settled.h"

/* What is taken of another shard: of a snapshot, or, with home's capture, of the store itself. */
struct merge_part {
    const struct capture *capture;
    const struct shard_files *shard;
    struct time_range range; /* of the points wanted, both included; SETTLED_ALL */
    /* Where points are spread over n shards by their series, as influxd does in a group of several:
     * only what belongs into shard i of n; n 1: all. */
    uint64_t n, i;
};

/* All that is pointed to is the caller's, and must outlive the result. */
struct merge_query {
    const struct capture *capture;   /* of home */
    const struct shard_files *shard; /* NULL: home has no file yet */
    const struct merge_part *parts;
    size_t nparts;
    bool parts_win;
    int folder;                          /* a descriptor of where nameless files can be made */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
};

struct merge_file {
    char name[MERGE_NAME]; /* of a TSM file in the shard */
    uint64_t size;         /* bytes */
    int64_t mtime_ns;
    /* As it lies: a member of this capture, and its tombstone (or MEMBER_NONE), which goes by the
     * same name. NULL: it was made, and has none. */
    const struct capture *capture;
    size_t member, tombstone;
};

struct merge_shard;

/* Errors, with the file and the cause in *e: for damage in what has to be read -EIO if it is of
 * home's capture, else -EBADMSG; -EOVERFLOW: see merge_order.h; -EINTR; -ENOSPC and what else writing to the folder says; -ENOMEM; as
 * capture_read. */
int merge_shard_open(const struct merge_query *q, struct merge_shard **out, struct err *e);
void merge_shard_free(struct merge_shard *m); /* NULL is allowed */
static inline void merge_shard_freep(struct merge_shard **m)
{
    merge_shard_free(*m);
}

/* All TSM files that the shard has now, in influxd's order. */
size_t merge_shard_count(const struct merge_shard *m);
const struct merge_file *merge_shard_at(const struct merge_shard *m, size_t i);

/* Whether home's WAL segments stay; else none does. */
bool merge_shard_keeps_wal(const struct merge_shard *m);

/* Reads n bytes at off of file i, which must lie within its size. */
int merge_shard_read(const struct merge_shard *m, size_t i, void *buf, size_t n, uint64_t off,
                     struct err *e);

/* The fields of which values are left out (merge_types.h). */
void merge_shard_refused(const struct merge_shard *m, merge_types_fn *fn, void *ctx);

#endif
