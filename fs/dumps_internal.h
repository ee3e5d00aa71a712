/* SPDX-License-Identifier: MIT */
/* The inside of dump/: folders (dumps.c), files (dumpfile.c), and what both are made of
 * (dump_contents.c). */
#ifndef INFLUXFS_FS_DUMPS_INTERNAL_H
#define INFLUXFS_FS_DUMPS_INTERNAL_H

#include "fs/dumps.h"
#include "store/export/dump_name.h"

#include <pthread.h>

/* What a capture contains, kept while it is in use. */
struct dump_contents {
    struct schema_cache *contents;
    struct lifetime life;
    struct dump_contents *next;
    char db[]; /* whose look-up made it; "": only names of databases were asked for */
};

/* The most lines that say what dumps lack. */
#define DUMPS_LACKS 200

struct dumps {
    struct fs *fs;
    struct points_spilled spilled;
    struct gaps gaps;     /* what dumps may lack */
    pthread_mutex_t lock; /* guards what follows */
    struct dump_contents *contents;
    char *lacks[DUMPS_LACKS];
    size_t nlacks;
    bool more_lacks;
    size_t memory; /* bytes that the dumps being made may take together */
};

/* What dumps may lack, and do lack (dump_contents.c). */
void dumps_lacks_init(struct dumps *d);

/* What the caller's instant of a database contains (parts.h), or of meta.db alone if db is NULL; the
 * caller owes one schema_cache_unref. */
int dumps_contents(struct request *r, const char *db, struct schema_cache **out);

/* Gives the caller's errno for -errno r, and reports the reason in status.json unless the caller is
 * to blame. */
int dumps_failed(struct fs *fs, const struct dump_query *of, int r, const struct err *e);

/* The file of a measurement and a range of times, in a folder. */
int dumpfile_lookup(struct request *r, const struct node *dir, struct schema_cache *c,
                    const struct dump_query *q, struct node **out);
ino_t dumpfile_ino(const struct dump_query *q);

#endif
