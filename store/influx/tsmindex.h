/* SPDX-License-Identifier: MIT */
/* The index of a TSM file while its blocks are written (tsmfile.h has the format): up to 4 MiB in
 * memory, the rest in a nameless file. For tsmwriter.c. One thread at a time. */
#ifndef INFLUXFS_INFLUX_TSMINDEX_H
#define INFLUXFS_INFLUX_TSMINDEX_H

#include "store/base/buffer.h"
#include "store/influx/serieskey.h"
#include "store/influx/tsmfile.h"

#define TSMINDEX_ENTRIES 65535 /* the most of one key: its count has 16 bits */

struct tsmindex {
    struct buffer entries; /* of the key at hand */
    size_t nentries;
    struct buffer keys; /* those before it, as in a file, but for what is in the nameless file */
    int folder, fd;     /* fd -1: there is none yet */
    uint64_t spooled;   /* bytes in it */
};

/* folder: a descriptor, the caller's, for the nameless file. */
void tsmindex_init(struct tsmindex *x, int folder);
void tsmindex_clear(struct tsmindex *x);

/* An entry of the key at hand, which has less than TSMINDEX_ENTRIES. 0 or -ENOMEM. */
int tsmindex_add(struct tsmindex *x, const struct tsmfile_entry *entry);

/* The key at hand is this one, and ends. Without an entry it is left out. Errors of the file;
 * -ENOMEM. */
int tsmindex_end_key(struct tsmindex *x, struct slice key, enum value_type type, struct err *e);

/* The bytes of all keys with their entries, and about those of the key at hand. */
uint64_t tsmindex_size(const struct tsmindex *x);

/* Passes the ended keys to write, in order, and is empty again. Errors of both. */
int tsmindex_take(struct tsmindex *x, int (*write)(void *, const void *, size_t, struct err *),
                  void *ctx, struct err *e);

#endif
