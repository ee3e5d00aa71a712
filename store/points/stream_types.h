/* SPDX-License-Identifier: MIT */
/* A measurement in a shard, and a series of it with its fields (seriesstream.h). */
#ifndef INFLUXFS_POINTS_STREAM_TYPES_H
#define INFLUXFS_POINTS_STREAM_TYPES_H

#include "store/points/cursor.h"
#include "store/points/keyindex.h"

/* What to open. What it points to must outlive the stream. */
struct stream_query {
    const struct capture *capture;
    const struct shard_files *shard;
    struct slice name; /* of the measurement as users write it, not escaped */
    struct time_range range;
    size_t window;                       /* bytes of each window; 0: the default of tsmfile.h */
    size_t values;                       /* as many of a series are in memory; 0: whole blocks */
    size_t wal_memory;                   /* bytes of the WAL at most; 0: all (walcache.h) */
    const char *folder;                  /* for a WAL of many keys (walranges.h) */
    struct points_spilled *spilled;      /* what is put down there; may be NULL */
    size_t deletes_memory;               /* bytes of the tombstones of a file; 0: all (deletes.h) */
    struct blockpool *pool;              /* memory for blocks; may be that of other streams too */
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
    /* Known data of the whole shard; each may be NULL. */
    struct walcache *wal; /* a reference is taken */
    const struct keyindex *keys;
};

/* A field of a series. */
struct stream_field {
    struct slice name;    /* not escaped */
    struct cursor cursor; /* cursor_first has not been called */
};

struct stream_series {
    struct slice key; /* as it is stored */
    size_t nfields;
    struct stream_field *fields; /* by name, bytewise; the cursors may be moved */
};

#endif
