/* SPDX-License-Identifier: MIT */
/*
 * The points of a measurement in a capture, in order: what its shards hold within a range of times.
 *
 * POINTS_ANSWER: as influxd 1.6 answers SELECT * FROM "RP"."MEASUREMENT" WHERE time >= FROM AND
 * time < TO, by time. Columns are the fields and tags of the shards whose time meets the range,
 * whether or not they hold a point in it. A field that has several types in these shards is shown
 * as the first of float, integer, unsigned, string and boolean; the numbers of others are converted
 * to it, all else of them is missing, and a point of nothing else too. Points of the same time come
 * in the order of their columns as long as these are strings, else as influxd's merging happens to
 * take them (goheap.h).
 *
 * POINTS_ALL: everything, in its own type, by series, then time.
 *
 * What influxd knows is what it finds in TSM files and WAL when it starts on this capture, and, for
 * POINTS_ANSWER, fields of the live store without values (schema_cache_live). A series of which
 * everything was deleted is forgotten; with a tsi1 index the tags are those of the shards
 * in the range, else those of the measurement in all shards of the database. (influxdb
 * tsdb/shard.go FieldDimensions, query/iterator.gen.go floatSortedMergeHeap, influxql
 * RewriteFields)
 *
 * Memory: what the WAL holds of the measurement, some hundred bytes for each field of each series
 * of a shard, and up to 32 MB of values of these; for POINTS_ALL an entry for each block in the
 * range, and the blocks of one series. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_POINTS_H
#define INFLUXFS_POINTS_POINTS_H

#include "store/points/points_types.h"
#include "store/points/schema_cache.h"

struct points;

/* The cache, and what *q points to, must outlive the result. -ENOENT, with words, if there is no
 * such database or policy (a measurement that is not there just has no points); other errors as
 * schema_cache_shard and measurement_open. */
int points_open(struct schema_cache *c, const struct points_query *q, struct points **out,
                struct err *e);
void points_free(struct points *p);
static inline void points_freep(struct points **p)
{
    points_free(*p);
}

size_t points_columns(const struct points *p);
const struct points_column *points_column(const struct points *p, size_t i);

/* 1 and the next row, valid until the next call; 0 when there are no more. */
int points_next(struct points *p, struct points_row *row, struct err *e);

#endif
