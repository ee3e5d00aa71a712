/* SPDX-License-Identifier: MIT */
/*
 * A measurement in one shard as a stream of its series, in the order of their keys: each with its
 * fields, and a cursor over a range of times for each field.
 *
 *   struct stream_series one;
 *   int r = seriesstream_open(&query, &s, e);
 *   while (r == 0 && (r = seriesstream_next(s, &one, e)) == 1)
 *       r = use(&one);
 *   seriesstream_free(s);
 *
 * The indexes of the shard's TSM files and its WAL are walked side by side, the blocks read as the
 * cursors move, both through windows. TSM files are ordered by composite key (serieskey.h). Where a
 * series is the beginning of another one, that may come first there: "cpu,t=a!b#!~#f" before
 * "cpu,t=a#!~#f". So such beginnings are looked for ahead, each once.
 *
 * Memory: two windows for each file, the fields of one series with an entry for each block in the
 * range and the blocks around the current time, and of the WAL and of tombstones as much as the query
 * says (walcache.h, deletes.h). One thread at a time.
 */
#ifndef INFLUXFS_POINTS_SERIESSTREAM_H
#define INFLUXFS_POINTS_SERIESSTREAM_H

#include "store/base/buffer.h"
#include "store/points/stream_types.h"

struct seriesstream;

/* Errors: -EBADMSG, with the file and the cause in *e, for damage, unless the gaps allow it; -EINTR;
 * -ENOMEM; as capture_read. */
int seriesstream_open(const struct stream_query *q, struct seriesstream **out, struct err *e);
void seriesstream_free(struct seriesstream *s);
static inline void seriesstream_freep(struct seriesstream **s)
{
    seriesstream_free(*s);
}

/* 1 and the next series, valid until the next call; 0 at the end. Fields are left out if the
 * tombstones of a file or the WAL delete all of their values, as influxd forgets them; series whose
 * fields have no values in the range stay. Errors as above, also for a field with two types; after
 * one, only seriesstream_free is allowed. */
int seriesstream_next(struct seriesstream *s, struct stream_series *out, struct err *e);

/* Adds to *mark the place of the series that was given last; check mark->failed. */
void seriesstream_mark(const struct seriesstream *s, struct buffer *mark);

/* The number of bytes of a mark, which is the same for all marks of a stream. */
size_t seriesstream_mark_size(const struct seriesstream *s);

/* Continues, in a stream of the same query from which nothing was taken, from a mark: with the first
 * series that is not before `series`, and of this one with the values from this time on. The
 * series must not be before that of the mark. */
int seriesstream_resume(struct seriesstream *s, const void *mark, struct slice series, int64_t from,
                        struct err *e);

#endif
