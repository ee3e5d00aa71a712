/* SPDX-License-Identifier: MIT */
/* Shared by the files that build a schema. */
#ifndef INFLUXFS_POINTS_SCHEMA_INTERNAL_H
#define INFLUXFS_POINTS_SCHEMA_INTERNAL_H

#include "store/base/buffer.h"
#include "store/points/schema.h"

#include <stddef.h>

struct schema_entry {
    struct schema_measurement m;
    size_t field_at; /* the last one used: keys come in order */
    char name[];
};

struct schema {
    size_t n, at;               /* at: of the last entry used */
    struct schema_entry **list; /* sorted by name */
    bool allow_damage;
};

/* The measurement of that name; a missing one is made. NULL when out of memory. */
struct schema_entry *schema_entry(struct schema *o, struct slice name);

/* Adds a field or a tag unless present. 0 or -ENOMEM. */
int schema_add_field(struct schema_entry *n, struct slice name, enum value_type type);
int schema_add_tag(struct schema_entry *n, struct slice name);

/* Adds the measurement, tags and field of a key; names is a buffer for unescaping them. 0 or
 * -ENOMEM. */
int schema_add_key(struct schema *o, struct buffer *names, struct slice series, struct slice field,
                   enum value_type type, struct schema_entry **out);

#endif
