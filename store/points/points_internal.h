/* SPDX-License-Identifier: MIT */
/* The two ways to give points, for points.c. Each has a state of its own, made by its open, which
 * may be partial after an error and is freed in any case. Errors as in points.h. */
#ifndef INFLUXFS_POINTS_POINTS_INTERNAL_H
#define INFLUXFS_POINTS_POINTS_INTERNAL_H

#include "store/points/columns.h"
#include "store/points/measurement.h"
#include "store/points/points.h"
#include "store/points/seriesstream.h"

/* A shard of the range. */
struct points_shard {
    size_t number; /* in the cache */
    const struct shard_files *files;
};

struct points {
    struct schema_cache *cache; /* not owned */
    struct points_query q;
    struct columns columns;
    size_t nshards;
    struct points_shard *shards;  /* by end */
    struct points_answer *answer; /* POINTS_ANSWER */
    struct points_all *all;       /* POINTS_ALL */
};

/* The budget; how long windows on the files of all shards can be so that they take no more than
 * `memory`, as far as there is a reason (points_shard.c). */
size_t points_budget(const struct points *p);
size_t points_window(const struct points *p, size_t memory);

/* The measurement in shard i, from a time on (points_shard.c). */
int points_measurement(const struct points *p, size_t i, int64_t from, struct measurement **out,
                       struct err *e);

/* What the WAL of a shard, and each tombstone file, may take of `memory`, in bytes, while n shards from i on are
 * open. */
struct points_memory {
    size_t wal, deletes;
};
struct points_memory points_divide(const struct points *p, size_t i, size_t n, size_t memory);

/* How much of a measurement in a shard is read, and how much of it at once (stream_query). */
struct points_stream_limits {
    struct time_range range;
    struct points_memory memory;
    size_t window, values;
    struct blockpool *pool;
};

/* The same as a stream of series. */
int points_stream(const struct points *p, size_t i, const struct points_stream_limits *l,
                  struct seriesstream **out, struct err *e);

/* POINTS_ANSWER (points_answer.c) */
int points_answer_open(struct points *p, struct err *e);
int points_answer_next(struct points *p, struct points_row *row, struct err *e);
int points_answer_mark(const struct points *p, struct buffer *mark);
int points_answer_resume(struct points *p, struct slice mark, struct err *e);
void points_answer_free(struct points_answer *a); /* NULL is allowed */

/* POINTS_ALL (points_all.c) */
int points_all_open(struct points *p, struct err *e);
int points_all_next(struct points *p, struct points_row *row, struct err *e);
int points_all_mark(const struct points *p, struct buffer *mark);
int points_all_resume(struct points *p, struct slice mark, struct err *e);
void points_all_free(struct points_all *a); /* NULL is allowed */

#endif
