/* SPDX-License-Identifier: MIT */
/* The schema of a shard or of one file: the measurements, their fields and tags, and the UTC days
 * with points. Series and fields with all values deleted are not in it. Built by one thread; after
 * that any number may read it. */
#ifndef INFLUXFS_POINTS_SCHEMA_H
#define INFLUXFS_POINTS_SCHEMA_H

#include "store/base/time.h"
#include "store/influx/serieskey.h"
#include "store/influx/source.h"
#include "store/influx/value.h"

/* Days since 1970-01-01, both included. Lists ascend, and ranges do not touch. */
struct day_range {
    int32_t first, last;
};
struct days {
    size_t n;
    struct day_range *list;
};

/* 0 or -ENOMEM. */
int days_add(struct days *d, struct day_range r);
bool days_have(const struct days *d, struct day_range r); /* all of them */
bool days_meet(const struct days *d, struct day_range r); /* any */
void days_clear(struct days *d);

struct schema_field {
    struct slice name;
    enum value_type type; /* a field of several types is there once for each */
};

/* Neither fields nor tags are sorted. */
struct schema_measurement {
    struct slice name; /* as users write it */
    size_t nfields, ntags;
    struct schema_field *fields;
    struct slice *tags; /* as users write them */
    struct days days;
};

struct schema;

struct schema *schema_new(void); /* NULL when out of memory */
void schema_free(struct schema *o);
static inline void schema_freep(struct schema **o)
{
    schema_free(*o);
}

/* Allows damage: damaged blocks, and the rest of a damaged file, are skipped from now on. Nothing
 * is reported here; reading the values reports it. */
void schema_allow(struct schema *o, bool damage);

/* Sorted bytewise by name. */
size_t schema_count(const struct schema *o);
const struct schema_measurement *schema_at(const struct schema *o, size_t i);
/* NULL: no measurement of that name. */
const struct schema_measurement *schema_find(const struct schema *o, struct slice name);

/* Adds a TSM file without the values that its tombstones (NULL: none) delete. Times are decoded
 * where the index does not show the days, values never. Errors: -EBADMSG, with the file and the
 * cause in *e, for damage; -ENOMEM; those of the sources. */
int schema_add_tsm(struct schema *o, const struct source *tsm, const struct source *tombstone,
                   struct err *e);

/* Adds the segments of a shard's WAL, in the order of their replay. Errors likewise. */
int schema_add_wal(struct schema *o, const struct source *const *segments, size_t n, struct err *e);

/* Adds the fields without values that a running influxd still shows. It keeps them in fields.idx
 * and fields.idxl of a shard's folder, which no capture holds. A missing or damaged file adds none,
 * as influxd does not read it either. 0 or -ENOMEM. */
int schema_add_live(struct schema *o, const char *folder);

/* Adds another schema. 0 or -ENOMEM. */
int schema_add(struct schema *o, const struct schema *from);

/* Adds one measurement of another schema, if present. 0 or -ENOMEM. */
int schema_add_one(struct schema *o, const struct schema *from, struct slice measurement);

/* Packs a schema into bytes for schema_unpack on this machine only; the caller frees them. 0 or
 * -ENOMEM. */
int schema_pack(const struct schema *o, void **bytes, size_t *n);
/* Whether these bytes are a packed schema. */
bool schema_is_packed(const void *bytes, size_t n);
/* Adds a packed schema. -EBADMSG: the bytes are not one; -ENOMEM. */
int schema_unpack(struct schema *o, const void *bytes, size_t n);
/* Adds one measurement of a packed schema, if present. Errors likewise. */
int schema_unpack_one(struct schema *o, const void *bytes, size_t n, struct slice measurement);

/* Raise this when the same files give another schema, or the packed format changes. */
#define SCHEMA_VERSION 1

#endif
