/* SPDX-License-Identifier: MIT */
/* Which fields and tags a measurement has in some shards, as points.h says. */
#ifndef INFLUXFS_EXPORT_COLUMNS_H
#define INFLUXFS_EXPORT_COLUMNS_H

#include "store/export/points.h"
#include "store/export/table.h"

struct columns {
    size_t n;
    struct points_column *list; /* sorted by columns_sort; names are its own */
};

/* Adds what the table has: its fields if asked for, and its tags. 0 or -ENOMEM. */
int columns_add(struct columns *c, struct table *t, bool fields);

void columns_sort(struct columns *c);

/* The place of a field or a tag, once sorted; c->n if there is none. */
size_t columns_find(const struct columns *c, struct slice name, bool is_tag);

/* Whether influxd shows a value of one type in a column of the other. */
bool columns_fits(enum value_type column, enum value_type value);

void columns_clear(struct columns *c);

#endif
