/* SPDX-License-Identifier: MIT */
/*
 * The values of one field of one series in one shard, by time: those of its TSM files, without
 * those that tombstones delete, and those of the WAL. Of several values with the same time, that of
 * the latest file counts; the WAL comes before all files (influxdb
 * tsdb/engine/tsm1/iterator.gen.go).
 *
 * A block is read when its time comes, so memory is one block for each file with values around the
 * current time. Where many cursors move side by side, each can have a window: it keeps only that
 * many values of a block, and decodes the block again for the next ones. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_CURSOR_H
#define INFLUXFS_POINTS_CURSOR_H

#include "store/influx/tsmfile.h"
#include "store/points/deletes.h"
#include "store/points/gaps.h"
#include "store/points/walcache.h"

/* Blocks whose memory can be used again. Zeroed before its first use. */
struct blockpool {
    size_t n;
    struct tsmblock spare[16];
};

/* Takes over the memory of *b, which is then as new. */
void blockpool_give(struct blockpool *p, struct tsmblock *b);
void blockpool_free(struct blockpool *p);

/* The blocks of the field in one file. */
struct cursor_blocks {
    struct tsmfile *file; /* not owned; shared by all cursors of a shard */
    struct tsmfile_entry *entries;
    size_t nentries;
    struct time_range *deleted; /* ascending and disjoint */
    size_t ndeleted;
    size_t next;    /* the entry to read next */
    size_t taken;   /* with a window: the number of its values read so far */
    int64_t resume; /* the time of the value after these */
    struct tsmblock block;
    size_t at; /* the current value of the block; block.n: all are used */
};

struct cursor {
    enum value_type type;
    struct time_range range;      /* values outside are left out */
    const struct gaps *gaps;      /* whether damaged blocks are left out; may be NULL */
    struct slice key;             /* composite; for messages */
    size_t window;                /* 0: whole blocks */
    struct tsmblock *scratch;     /* decode buffer if there is a window; not owned */
    struct blockpool *pool;       /* where memory comes from and goes to; not owned; may be NULL */
    struct cursor_blocks *blocks; /* by file, the oldest first */
    size_t nblocks;
    const struct walcache_value *wal; /* by time, each once; not owned, nor is its text */
    const char *wal_text;
    size_t nwal, wal_at;
    /* The current value; valid until the cursor moves. */
    bool done;
    int64_t time;
    union value value;
    const char *text; /* what value.s.off counts from */
    /* Values of this file's block after the current one, up to run_end, need no check of other
     * blocks. */
    struct cursor_blocks *run;
    size_t run_end;
};

/* No value that is left is before this time; INT64_MAX if there is none. Before the cursor's first move. */
int64_t cursor_bound(const struct cursor *c);

/* Moves to the first value; c->done if there is none. Errors as tsmfile_block, except for damage
 * that the gaps allow. */
int cursor_first(struct cursor *c, struct err *e);

/* cursor_next where there is no run. */
int cursor_search(struct cursor *c, struct err *e);

/* Moves to the next value, likewise. */
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

/* Releases the contents of c, but not c itself. */
void cursor_clear(struct cursor *c);

#endif
