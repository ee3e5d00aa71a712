/* SPDX-License-Identifier: MIT */
/*
 * A measurement in one shard: its fields by series, each with a cursor over a range of times.
 *
 * Opening one replays the shard's WAL segments and walks the index of its TSM files; blocks are
 * read by the cursors. Memory: what the WAL holds of the measurement (influxd's cache holds as
 * much), and an entry for each block in the range. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_TABLE_H
#define INFLUXFS_POINTS_TABLE_H

#include "store/points/cursor.h"
#include "store/points/shards.h"
#include "store/snapshot/tarball.h"

/* A field of a series. */
struct table_field {
    struct slice key;          /* composite, as it is stored */
    struct slice series, name; /* of it */
    struct cursor cursor;      /* cursor_first has not been called */
};

struct table;
struct image;

/* image (image.h), which may be NULL, is that of the shard: a reference is taken. measurement is as
 * users write it, not escaped. Fields of which the tombstones of a file or the WAL delete
 * everything are not among them, as influxd forgets these; fields without values in the range are.
 * The capture, *sh and *gaps (which may be NULL) must outlive the table. Errors: -EBADMSG, with the
 * file and cause in words, for damage, and for a field that has two types, unless gaps allow to
 * leave out what is; -EINTR, if the reader (which may be NULL) says so; -ENOMEM; what capture_read
 * says. */
int table_open(const struct capture *c, const struct shard_files *sh, struct image *image,
               struct slice measurement, struct time_range range, const struct gaps *gaps,
               const struct tarball_reader *reader, struct table **out, struct err *e);
void table_free(struct table *t);
static inline void table_freep(struct table **t)
{
    table_free(*t);
}

/* Before they are used: all its cursors together keep about that many values of blocks, if they
 * move side by side, but each at least a few. */
void table_limit(struct table *t, size_t values);

/* The fields, those of a series together: series by their keys bytewise, fields by name. */
size_t table_count(const struct table *t);
struct table_field *table_at(struct table *t, size_t i);

#endif
