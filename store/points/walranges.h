/* SPDX-License-Identifier: MIT */
/*
 * The records of a WAL put down by ranges of series, in a file without a name: so a WAL of any size is
 * read three times (for the first series, to find the ranges, to put them down), where passes over
 * the segments would read it once for each part that memory holds. What is done to the records of a
 * series is in one range, and in its order.
 *
 * Memory: as its limits say, or an eighth of the records up to a MiB, if that is
 * more; and 24 bytes for each page of the file, which is 4 KiB where there is so much of them. One thread at
 * a time.
 */
#ifndef INFLUXFS_POINTS_WALRANGES_H
#define INFLUXFS_POINTS_WALRANGES_H

#include "store/points/points_types.h"
#include "store/points/walreplay.h"

struct walranges;

/* More would put each record down by itself, as half of the pages in memory are fewer (answer_spill.c). */
#define WALRANGES_MOST 128

/* Where the file is, and how large a range is to be. */
struct walranges_limits {
    size_t memory;      /* bytes that a range may take later, about */
    size_t pages;       /* bytes in memory of what is put down; a quarter of `memory` at least */
    size_t weight;      /* bytes that all records together take, about */
    const char *folder; /* as in struct points_query */
    struct points_spilled *spilled; /* likewise */
};

/* Puts down the records from q->from on, which must be set. -EINTR; -ENOMEM; -EBADMSG and others as
 * walreplay; what else fails is the file, with the folder in *e, and the segments can still be read. */
int walranges_make(const struct walreplay_query *q, const struct walranges_limits *l,
                   struct walranges **out, struct err *e);
void walranges_free(struct walranges *p); /* NULL is allowed */
static inline void walranges_freep(struct walranges **p)
{
    walranges_free(*p);
}

/* Where the range of a series ends: the first series of the next one; p NULL: it is the last. */
struct slice walranges_end(const struct walranges *p, struct slice series);

/* Passes the range of a series to a visitor, as walreplay does. -EIO: the file has changed; errors of
 * reading. */
int walranges_replay(struct walranges *p, struct slice series, const struct walreplay_visitor *v,
                     struct err *e);

#endif
