/* SPDX-License-Identifier: MIT */
/*
 * The values of one field of one series in one shard, by time: what its TSM files hold without what
 * their tombstones delete, and what the WAL holds. Of values with the same time the one of the
 * latest file counts, and that of the WAL before all (influxdb tsdb/engine/tsm1/iterator.gen.go).
 *
 * Blocks are read when their time comes: memory is one block for each file that has values at the
 * time that has been reached. Where many cursors move side by side each may be given a window
 * instead, which is how many values of a block it keeps: the block is decoded again for the next of
 * them. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_CURSOR_H
#define INFLUXFS_POINTS_CURSOR_H

#include "store/influx/tsmfile.h"
#include "store/points/deletes.h"
#include "store/points/gaps.h"
#include "store/points/walcache.h"

/* The blocks of the field in one file. The arrays are the cursor's, by malloc. */
struct cursor_blocks {
    struct tsmfile *file; /* not owned; shared by all cursors of a shard */
    struct tsmfile_entry *entries;
    size_t nentries;
    struct time_range *deleted; /* ascending, apart from each other */
    size_t ndeleted;
    size_t next;    /* entry to be read next */
    size_t taken;   /* how many of its values have been, if there is a window */
    int64_t resume; /* the time of the one after these */
    struct tsmblock block;
    size_t at; /* in block; block.n: it is used up */
};

struct cursor {
    enum value_type type;
    struct time_range range;      /* values outside of it are left out */
    const struct gaps *gaps;      /* whether damaged blocks are left out; may be NULL */
    struct slice key;             /* for its words: composite */
    size_t window;                /* 0: whole blocks */
    struct tsmblock *scratch;     /* to decode into, if there is a window; not owned */
    struct cursor_blocks *blocks; /* by file, the oldest first */
    size_t nblocks;
    const struct walcache_value *wal; /* by time, each once; not owned */
    size_t nwal, wal_at;
    /* The value at hand; valid until the cursor moves. */
    bool done;
    int64_t time;
    union value value;
    const char *text; /* what value.s.off counts from */
    /* The values of run behind the one at hand, up to run_end, are the next, whatever else there
     * is. */
    struct cursor_blocks *run;
    size_t run_end;
};

/* Moves to the first value at all. c->done if there is none. Errors as tsmfile_block. */
int cursor_first(struct cursor *c, struct err *e);

/* For cursor_next. */
int cursor_search(struct cursor *c, struct err *e);

/* Moves to the value after the one at hand, likewise. */
static inline int cursor_next(struct cursor *c, struct err *e)
{
    struct cursor_blocks *b = c->run;
    if (!b || b->at + 1 >= c->run_end)
        return cursor_search(c, e);
    b->at++;
    c->time = b->block.times[b->at];
    c->value = b->block.values[b->at];
    return 0;
}

/* Releases all but c itself. */
void cursor_clear(struct cursor *c);

#endif
