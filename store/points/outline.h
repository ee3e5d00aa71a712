/* SPDX-License-Identifier: MIT */
/*
 * What is in a shard, or in one file of it, without the values: the measurements, the fields and
 * tags of each, and on which UTC days it has points.
 *
 * A series or field of which everything is deleted is not there. Built by one thread; then it may
 * be read by any number.
 */
#ifndef INFLUXFS_POINTS_OUTLINE_H
#define INFLUXFS_POINTS_OUTLINE_H

#include "store/influx/serieskey.h"
#include "store/influx/source.h"
#include "store/influx/value.h"

/* Days since 1970-01-01, both included. Lists of them ascend, and do not touch. */
struct day_range {
    int32_t first, last;
};
struct days {
    size_t n;
    struct day_range *list;
};

#define DAY_NS ((int64_t)86400 * 1000000000)

static inline int32_t day_of(int64_t time_ns)
{
    return (int32_t)(time_ns / DAY_NS - (time_ns % DAY_NS < 0));
}

/* 0 or -ENOMEM. */
int days_add(struct days *d, struct day_range r);
bool days_have(const struct days *d, struct day_range r); /* all of them */
bool days_meet(const struct days *d, struct day_range r); /* any */
void days_clear(struct days *d);

struct outline_field {
    struct slice name;
    enum value_type type; /* a field of several types is there once for each */
};

/* Neither fields nor tags are sorted. */
struct outline_measurement {
    struct slice name; /* as users write it */
    size_t nfields, ntags;
    struct outline_field *fields;
    struct slice *tags; /* as users write them */
    struct days days;
};

struct outline;

struct outline *outline_new(void); /* NULL when out of memory */
void outline_free(struct outline *o);
static inline void outline_freep(struct outline **o)
{
    outline_free(*o);
}

/* Whether damage is passed over from now on: blocks, and the rest of a file. Who reads the values
 * says what is lacking. */
void outline_allow(struct outline *o, bool damage);

/* Sorted bytewise by name. */
size_t outline_count(const struct outline *o);
const struct outline_measurement *outline_at(const struct outline *o, size_t i);
/* NULL: there is none of that name. */
const struct outline_measurement *outline_find(const struct outline *o, struct slice name);

/* Adds what is in a TSM file but for what its tombstones delete (NULL: it has none). Times are
 * decoded where the index does not tell the days, values never. -EBADMSG with the file and cause in
 * words for damage that was met; -ENOMEM; what the sources say. */
int outline_add_tsm(struct outline *o, const struct source *tsm, const struct source *tombstone,
                    struct err *e);

/* Adds what is in the segments of a shard's WAL, in the order of their replay. Errors likewise. */
int outline_add_wal(struct outline *o, const struct source *const *segments, size_t n,
                    struct err *e);

/* Adds what is in another. 0 or -ENOMEM. */
int outline_add(struct outline *o, const struct outline *from);

/* Adds one measurement of another, if it is there. */
int outline_add_one(struct outline *o, const struct outline *from, struct slice measurement);

/* As bytes for outline_unpack, which the caller frees; only for the machine that they were made on.
 * -ENOMEM. */
int outline_pack(const struct outline *o, void **bytes, size_t *n);
/* Whether these bytes are such. */
bool outline_is_packed(const void *bytes, size_t n);
/* Adds what was packed. -EBADMSG: these are no such bytes; -ENOMEM. */
int outline_unpack(struct outline *o, const void *bytes, size_t n);
/* Adds one measurement of it, if it is there. */
int outline_unpack_one(struct outline *o, const void *bytes, size_t n, struct slice measurement);

/* Rises when what is found in the same files, or how it is packed, changes. */
#define OUTLINE_VERSION 1

#endif
