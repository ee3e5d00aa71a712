/* SPDX-License-Identifier: MIT */
/* The inside of a table while it is built: fields by their keys. */
#ifndef INFLUXFS_POINTS_TABLE_INTERNAL_H
#define INFLUXFS_POINTS_TABLE_INTERNAL_H

#include "store/points/table.h"

#include <stdbool.h>

/* What could not be added for want of memory has hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct table_entry {
    struct table_field field;
    UT_hash_handle hh;
    size_t wal_cap;
    char key[];
};

/* A piece of memory for strings of the WAL. */
struct table_text {
    struct table_text *next;
    char bytes[];
};

struct table {
    const struct capture *capture;
    const struct shard_files *shard;
    struct image *image;      /* may be NULL */
    struct slice measurement; /* escaped; memory of its own; p NULL: all */
    struct time_range range;
    const struct gaps *gaps;
    struct table_entry *entries; /* hash by key */
    struct table_field **sorted;
    size_t n;
    struct shard_source *sources; /* one for each TSM file */
    struct tsmfile **files;
    struct table_text *texts;
    struct tsmblock scratch; /* of the cursors, if they have windows */
};

/* The entry with this key, made if there is none; its type is checked against what it was. */
int table_entry(struct table *t, struct slice key, enum value_type type, const char *source,
                struct table_entry **out, struct err *e);

/* Replays the WAL of the shard (table_wal.c), or takes what is of the measurement from one that was
 * replayed, which must outlive t. */
int table_replay(struct table *t, struct err *e);
int table_borrow(struct table *t, struct table *wal, struct err *e);

/* What the WAL of a shard holds, of all measurements: a table without files. */
int table_open_wal(const struct capture *c, const struct shard_files *sh, struct table **out,
                   struct err *e);

#endif
