/* SPDX-License-Identifier: MIT */
/* The inside of a schema, while it is built. */
#ifndef INFLUXFS_POINTS_SCHEMA_INTERNAL_H
#define INFLUXFS_POINTS_SCHEMA_INTERNAL_H

#include "store/base/buffer.h"
#include "store/points/schema.h"

#include <stddef.h>

struct schema_entry {
    struct schema_measurement m;
    size_t field_at; /* that was met last: keys come in an order */
    char name[];
};

struct schema {
    size_t n, at;               /* at: of the entry that was met last */
    struct schema_entry **list; /* sorted by name */
    bool allow_damage;
};

/* The measurement of that name, made if it is not there yet; NULL when out of memory. */
struct schema_entry *schema_entry(struct schema *o, struct slice name);

/* Adds a field and a tag that may be there already. 0 or -ENOMEM. */
int schema_add_field(struct schema_entry *n, struct slice name, enum value_type type);
int schema_add_tag(struct schema_entry *n, struct slice name);

/* Adds the measurement, the tags and the field of a key; names is memory to unescape them in. 0 or
 * -ENOMEM. */
int schema_add_key(struct schema *o, struct buffer *names, struct slice series, struct slice field,
                   enum value_type type, struct schema_entry **out);

#endif
