/* SPDX-License-Identifier: MIT */
/* The fields of one series after another, gathered from TSM files and the WAL, each with its cursor;
 * for seriesstream.c. The memory of one series is used again for the next. One thread at a time. */
#ifndef INFLUXFS_POINTS_STREAMFIELDS_H
#define INFLUXFS_POINTS_STREAMFIELDS_H

#include "store/base/buffer.h"
#include "store/points/filekeys.h"
#include "store/points/stream_types.h"

/* A field while it is gathered; offsets, as the arrays below may still move. */
struct streamfields_one {
    size_t key, nkey;      /* its composite key in `text` */
    size_t block, nblocks; /* in `blocks` */
    enum value_type type;
    size_t nwal; /* its values in the WAL */
    const struct walcache_value *wal;
    const char *wal_text;
};

/* Zeroed but for the pool before its first use. */
struct streamfields {
    size_t nprefix; /* bytes of each composite key before the name of its field */
    struct buffer text;
    struct streamfields_one *list;
    struct cursor_blocks *blocks; /* what each points to follows that of the one before */
    struct tsmfile_entry *entries;
    struct time_range *deleted;  /* likewise */
    struct stream_field *fields; /* the result */
    size_t n, nblocks, nentries, ndeleted;
    size_t list_room, blocks_room, entries_room, deleted_room, fields_room;
    struct blockpool *pool; /* not owned */
    struct tsmblock scratch;
};

void streamfields_free(struct streamfields *f);

/* Begins a series. */
void streamfields_begin(struct streamfields *f, struct slice series);

/* The fields are added in the order of their keys, each first from the WAL, then from the files, the
 * oldest first. 0 or -ENOMEM; of a file also -EBADMSG, as shards_check_field. */
int streamfields_add_wal(struct streamfields *f, const struct walcache_key *k);
int streamfields_add_file(struct streamfields *f, const struct filekey *k, struct time_range range,
                          struct err *e);

/* Makes the cursors. 0 or -ENOMEM. */
int streamfields_finish(struct streamfields *f, const struct stream_query *q,
                        struct time_range range);

#endif
