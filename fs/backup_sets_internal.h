/* SPDX-License-Identifier: MIT */
/* The inside of what backup/ is made of: whose sets, and for how long (backup_sets.c); those of one
 * capture (backup_made.c). */
#ifndef INFLUXFS_FS_BACKUP_SETS_INTERNAL_H
#define INFLUXFS_FS_BACKUP_SETS_INTERNAL_H

#include "fs/backup_sets.h"
#include "fs/caller.h"
#include "fs/lifetime.h"

#include <pthread.h>

struct backup_set;

struct backup_sets {
    struct backups *all;
    uint64_t id;
    char *db; /* which alone is in the capture; NULL: all */
    char base[MADESET_BASE];
    int64_t made_ns;
    struct madeshards *shards;
    pthread_mutex_t making; /* one set is made at a time; taken before the lock of all */
    /* Guarded by the lock of all: */
    struct backup_set *sets;
    unsigned refs;
    struct lifetime life;
    struct backup_sets *next;
};

/* What a process has seen. */
struct backup_view {
    struct caller process;
    int watch; /* of the process */
    struct backup_sets *sets;
    int64_t at_ns;
    struct backup_view *next;
};

struct backups {
    struct fs *fs;
    pthread_mutex_t lock;      /* guards what follows */
    struct backup_sets *list;  /* the newest first; each has a reference */
    struct backup_view *views; /* so has each of these */
    uint64_t next_id;
    struct report_texts lacks[2]; /* of the newest set, by format */
};

/* Frees the sets of a capture that nobody uses any more. */
void backup_sets_free_made(struct backup_sets *s);

#endif
