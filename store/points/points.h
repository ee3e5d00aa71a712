/* SPDX-License-Identifier: MIT */
/*
 * The points of a measurement in a capture within a range of times, as a stream of rows.
 *
 *   struct points_row row;
 *   int r = points_open(cache, &query, &p, e);
 *   while (r == 0 && (r = points_next(p, &row, e)) == 1)
 *       r = use(&row);
 *   points_free(p);
 *
 * POINTS_ANSWER: the rows of influxd 1.6's answer to SELECT * FROM "RP"."MEASUREMENT" WHERE
 * time >= FROM AND time < TO, in its order.
 * - Columns are the fields and tags of all shards whose time meets the range, even if none of their
 *   points lies in it. With a tsi1 index the tags are those of these shards, else those of the
 *   measurement in all shards of the database.
 * - A field that has several types in these shards is shown as the first of float, integer,
 *   unsigned, string and boolean. Numbers of other types are converted to it; values of other types
 *   are dropped, and points left empty by that.
 * - Rows ascend by time. Rows of one time are ordered by their cells, from the first column on, as
 *   long as both cells are strings; after that they come as influxd's heap moves them (goheap.h).
 *
 * POINTS_ALL: every point, each value in its own type, by series, then by time. Where shards overlap
 * and have points of the same series and time, the points of the earlier shard come first.
 *
 * What influxd knows is what it would find in TSM files and WAL if it started on this capture, and,
 * for POINTS_ANSWER, fields of the live store that have no values (schema_cache_live). A series of
 * which everything was deleted is forgotten. (influxdb tsdb/shard.go FieldDimensions,
 * query/iterator.gen.go floatSortedMergeHeap, influxql RewriteFields)
 *
 * Memory: the budget of the query, which the shards that are open at once share for windows on their files, WALs
 * and tombstones (points_shard.c); but at least all that the WAL holds of one series. A WAL that takes many times
 * its part lies in a file without a name, too (walranges.h). POINTS_ALL reads series one after the other in all
 * shards side by side (seriesstream.h).
 * POINTS_ANSWER has 28 to 32 bytes for each series of a shard beside that, and rows are put down in slices of
 * time where the budget does not hold the cursors of a shard. What of both does not fit in memory lies in a
 * file without a name, of some 16 times the budget, or more if rows of one time, or series, take more (in
 * the folder of the query; -ENOSPC names it).
 * One thread at a time.
 */
#ifndef INFLUXFS_POINTS_POINTS_H
#define INFLUXFS_POINTS_POINTS_H

#include "store/base/buffer.h"
#include "store/points/points_types.h"
#include "store/points/schema_cache.h"

struct points;

/* The cache, and the pointers in *q, must outlive the result. -ENOENT: no such database or policy
 * (a missing measurement merely has no points). Other errors as schema_cache_shard and
 * measurement_open. */
int points_open(struct schema_cache *c, const struct points_query *q, struct points **out,
                struct err *e);
void points_free(struct points *p);
static inline void points_freep(struct points **p)
{
    points_free(*p);
}

size_t points_columns(const struct points *p);
const struct points_column *points_column(const struct points *p, size_t i);

/* 1 and the next row, valid until the next call; 0 at the end. Errors as points_open, and damage in a WAL, of
 * whichever shard it is found in first; after one,
 * only points_free is allowed. */
int points_next(struct points *p, struct points_row *row, struct err *e);

/* Makes *mark the place after the row that was given last; NULL: only asks whether there is one, at
 * little cost. -EAGAIN: not at this row, but maybe at the next one; -ENOMEM; what the next row fails with. A
 * mark of POINTS_ANSWER has 4 bytes for each series, unless tags alone order them; there is none where these
 * take more than a 16th of the budget. */
int points_mark(const struct points *p, struct buffer *mark);

/* Before the first points_next: goes to the mark of a stream of the same query and capture. -EINVAL:
 * it is no such mark; others as points_next. */
int points_resume(struct points *p, struct slice mark, struct err *e);

#endif
