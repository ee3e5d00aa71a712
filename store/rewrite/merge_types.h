/* SPDX-License-Identifier: MIT */
/*
 * The types of the fields of one shard. A field of a measurement has one type in a shard, that of its
 * first value: influxd refuses values of other types, and does not open a shard that holds them
 * (influxdb tsdb/shard.go MeasurementFields.CreateFieldIfNotExists, tsm1/engine.go
 * addToIndexFromKey).
 *
 * Memory: an entry for each field of each measurement. One thread at a time.
 */
#ifndef INFLUXFS_REWRITE_MERGE_TYPES_H
#define INFLUXFS_REWRITE_MERGE_TYPES_H

#include "store/base/err.h"
#include "store/influx/serieskey.h"
#include "store/influx/value.h"

#include <stdbool.h>

struct merge_types;

struct merge_types *merge_types_new(void); /* NULL when out of memory */
void merge_types_free(struct merge_types *t);

/* A composite key has values of this type. The first type of its field counts; *fits says whether
 * this is it. -EBADMSG, with a message that names the file: a key without a field; -ENOMEM. */
int merge_types_take(struct merge_types *t, struct slice key, enum value_type type,
                     const char *file, bool *fits, struct err *e);

/* Whether values of this type may be written to the key: it fits, or nothing is known of its field. */
bool merge_types_fit(struct merge_types *t, struct slice key, enum value_type type);

/* Calls fn with each field that was taken with another type than its own, once for each such type. */
typedef void merge_types_fn(void *ctx, struct slice measurement, struct slice field,
                            const char *type, const char *refused);
void merge_types_refused(const struct merge_types *t, merge_types_fn *fn, void *ctx);

#endif
