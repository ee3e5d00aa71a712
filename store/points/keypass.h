/* SPDX-License-Identifier: MIT */
/*
 * What one pass over records in any order keeps of them, in bounded memory: an item for each key, and of
 * all keys the least ones that the memory holds. The next pass reads the same records and goes on where
 * this one ended, so that all passes together give all items in the order of their keys, without a file.
 * The cost is a reading for each pass.
 *
 *   struct keypass p;
 *   int r = keypass_init(&p, memory, from);
 *   for each record, in the order of the file:
 *       if ((r = keypass_fit(&p)) == 0 && keypass_wants(&p, group of the key))
 *           keypass_find, keypass_add, keypass_push, …
 *   keypass_sort(&p);
 *   …                                          the items; keypass_end(&p) is where to go on from
 *   keypass_clear(&p);
 *
 * A pass never parts a group: keys that have their first bytes in common, such as those of a series. It
 * holds one group at least, whatever that takes. Keys are ordered by group, and within a group bytewise.
 *
 * Memory: some 70 bytes and the key for an item with one thing, and 16 to 32 for each further one. One
 * thread at a time.
 */
#ifndef INFLUXFS_POINTS_KEYPASS_H
#define INFLUXFS_POINTS_KEYPASS_H

#include "store/influx/serieskey.h"

#include <stdint.h>

/* A longer key cannot be in a WAL, or in a tombstone file. */
#define KEYPASS_LONGEST UINT16_MAX

/* What an item is a list of: a value and its time, or two times. */
struct keypass_thing {
    uint64_t words[2];
};

struct keypass_bytes;

struct keypass_item {
    uint32_t n; /* things; an item of none counts as no item, and goes in time */
    uint16_t nkey, ngroup;
    union {
        struct keypass_thing one, *list;
    } things;
    struct keypass_bytes *bytes; /* keypass_put; NULL: none */
    uint8_t type;                /* of the user */
    char key[];
};

struct keypass {
    size_t memory; /* 0: any amount */
    size_t used, limit;
    struct keypass_item **items; /* a hash table with gaps; after keypass_sort a list */
    size_t n, room;
    struct slice from, end; /* memory of their own; end.p NULL: all that is left */
};

/* from: the least group that is wanted; p NULL: all. 0 or -ENOMEM. */
int keypass_init(struct keypass *p, size_t memory, struct slice from);
void keypass_clear(struct keypass *p);

/* Whether the pass keeps the keys of a group. */
static inline bool keypass_wants(const struct keypass *p, struct slice group)
{
    return (!p->from.p || slice_compare(group, p->from) >= 0) &&
           (!p->end.p || slice_compare(group, p->end) < 0);
}

/* Keeps no keys of this group or of later ones: that is the end from now on (p NULL: there is none). 0 or
 * -ENOMEM. */
int keypass_until(struct keypass *p, struct slice end);

/* The group from which the next pass goes on; p NULL: there is nothing left for it. */
static inline struct slice keypass_end(const struct keypass *p)
{
    return p->end;
}

/* Lets the greatest groups go if the items take too much. Items of before are not valid then. 0 or
 * -ENOMEM. */
int keypass_fit(struct keypass *p);

/* NULL: there is none. Not after keypass_sort. */
struct keypass_item *keypass_find(const struct keypass *p, struct slice key);

/* A new one, for a key that there is not; the first ngroup bytes are its group. NULL: out of memory, or
 * longer than KEYPASS_LONGEST. */
struct keypass_item *keypass_add(struct keypass *p, struct slice key, size_t ngroup);

/* Appends a thing to the list of an item. 0 or -ENOMEM. */
int keypass_push(struct keypass *p, struct keypass_item *item, const void *thing);

/* The things, in the order in which they were appended; they may be changed, and fewer be left. */
void *keypass_list(struct keypass_item *item);
void keypass_leave(struct keypass_item *item, size_t n);

/* Puts down bytes with an item: *at is the place from keypass_text. 0, -ENOMEM, or -EFBIG: an item has
 * at most 4 GiB. */
int keypass_put(struct keypass *p, struct keypass_item *item, const void *bytes, size_t n,
                uint32_t *at);
const char *keypass_text(const struct keypass_item *item);

/* Nothing is added any more: the items with things become a list in their order. */
void keypass_sort(struct keypass *p);

/* After keypass_sort: the first item that is not before this key of this group; n: there is none. */
size_t keypass_search(const struct keypass *p, struct slice group, struct slice key);

static inline struct slice keypass_key(const struct keypass_item *item)
{
    return (struct slice){item->key, item->nkey};
}

static inline struct slice keypass_group(const struct keypass_item *item)
{
    return (struct slice){item->key, item->ngroup};
}

#endif
