/* SPDX-License-Identifier: MIT */
/* The inside of an outline, while it is built. */
#ifndef INFLUXFS_POINTS_OUTLINE_INTERNAL_H
#define INFLUXFS_POINTS_OUTLINE_INTERNAL_H

#include "store/points/outline.h"

#include <stddef.h>

struct outline_entry {
    struct outline_measurement m;
    size_t field_at; /* that was met last: keys come in an order */
    char name[];
};

struct outline {
    size_t n, cap, at;           /* at: of the entry that was met last */
    struct outline_entry **list; /* sorted by name */
    bool allow_damage;
};

/* The measurement of that name, made if it is not there yet; NULL when out of memory. */
struct outline_entry *outline_entry(struct outline *o, struct slice name);

/* Adds a field and a tag that may be there already. 0 or -ENOMEM. */
int outline_add_field(struct outline_entry *n, struct slice name, enum value_type type);
int outline_add_tag(struct outline_entry *n, struct slice name);

/* Room to unescape the names of a key. Zeroed before its first use. */
struct outline_names {
    char *text;
    size_t cap;
};
void outline_names_clear(struct outline_names *t);

/* Adds the measurement, the tags and the field of a key. 0 or -ENOMEM. */
int outline_add_key(struct outline *o, struct outline_names *t, struct slice series,
                    struct slice field, enum value_type type, struct outline_entry **out);

#endif
