/* SPDX-License-Identifier: MIT */
/*
 * A measurement in one shard: its fields by series, each with a cursor over a range of times.
 *
 * Opening it walks the indexes of the shard's TSM files and replays its WAL, unless that is known;
 * cursors read the blocks. Memory: the measurement's part of the WAL, and an entry for each block
 * in the range. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_MEASUREMENT_H
#define INFLUXFS_POINTS_MEASUREMENT_H

#include "store/points/cursor.h"
#include "store/points/keyindex.h"

/* What to open. The capture, *shard and *gaps must outlive the measurement. */
struct measurement_query {
    const struct capture *capture;
    const struct shard_files *shard;
    struct slice name; /* as users write it, not escaped */
    struct time_range range;
    size_t deletes_memory;               /* bytes of the tombstones of a file; 0: all (deletes.h) */
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
    /* Known data of the whole shard; each may be NULL. */
    struct walcache *wal; /* a reference is taken */
    const struct keyindex *keys;
};

/* A field of a series. */
struct measurement_field {
    struct slice key;          /* composite, as it is stored */
    struct slice series, name; /* its two parts */
    struct cursor cursor;      /* cursor_first has not been called */
};

struct measurement;

/* Fields are left out if the tombstones of a file or the WAL delete all of their values, as influxd
 * forgets them; fields without values in the range stay. Errors: -EBADMSG, with the file and the
 * cause in *e, for damage and for a field with two types, unless the gaps allow it; -EINTR;
 * -ENOMEM; as capture_read. */
int measurement_open(const struct measurement_query *q, struct measurement **out, struct err *e);
void measurement_free(struct measurement *m);
static inline void measurement_freep(struct measurement **m)
{
    measurement_free(*m);
}

/* The fields, by series and then by field, bytewise. */
size_t measurement_count(const struct measurement *m);
struct measurement_field *measurement_at(struct measurement *m, size_t i);

#endif
