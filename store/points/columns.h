/* SPDX-License-Identifier: MIT */
/* The columns of a query: which fields and tags a measurement has in some shards (points.h). */
#ifndef INFLUXFS_POINTS_COLUMNS_H
#define INFLUXFS_POINTS_COLUMNS_H

#include "store/points/points_types.h"
#include "store/points/schema_cache.h"

struct columns {
    size_t n;
    struct points_column *list; /* in the order of points_types.h; it owns the names */
};

/* The columns of a query over n shards, given by their places in the list of shards. The caller
 * zeroes *out before, and clears it after, also after an error. Errors as schema_cache_shard. */
int columns_of(struct schema_cache *cache, const struct points_query *q, const size_t *shards,
               size_t n, struct columns *out, struct err *e);

/* The place of a field or a tag; c->n if there is none. */
size_t columns_find(const struct columns *c, struct slice name, bool is_tag);

/* Whether influxd shows a value of one type in a column of the other. */
bool columns_fits(enum value_type column, enum value_type value);

void columns_clear(struct columns *c);

#endif
