/* SPDX-License-Identifier: MIT */
/* The inside of the catalogue: its environment (catalog_env.c), for all that store data in it. */
#ifndef INFLUXFS_SNAPSHOT_CATALOG_INTERNAL_H
#define INFLUXFS_SNAPSHOT_CATALOG_INTERNAL_H

#include "store/snapshot/catalog.h"

#include <lmdb.h>
#include <pthread.h>

struct derived_entry {
    uint8_t digest[SHA256_BYTES];
    struct catalog_derived value;
};

struct catalog {
    char *path;                    /* of the file; NULL: in memory */
    int lock_fd;                   /* the state folder, for flock(2) */
    int memory_fd;                 /* used without a file, or when the file fails; -1 until then */
    pthread_mutex_t lock;          /* guards all below */
    struct err trouble;            /* why the file did not serve last time; else empty */
    struct catalog_record last;    /* the newest record given: the next one must rise above it, */
    uint64_t last_piece;           /* and above the index of the last piece that had changes */
    struct derived_entry *waiting; /* new values of derived files, for the next transaction */
    size_t nwaiting;
    int (*write_waiting)(struct catalog *c); /* returns one of LMDB's codes */
    int64_t waits_since;                     /* monotonic; of the first of them */
    /* While a function works: */
    MDB_env *env;
    const char *open_path;
    unsigned open_flags;
    MDB_txn *txn;
    MDB_dbi files, states, retained, notes, derived, shards, bases;
    size_t unsaved, touched; /* rows written since the last rest, and looked at */
    size_t changed;          /* rows of files that are new, or others now */
};

/* Works within c->txn; returns 0 or one of LMDB's codes. */
typedef int catalog_work_fn(struct catalog *c, void *arg);

/* Does the work in one transaction, in the file if there is one, after what waits. A failing file,
 * such as on a full disk, must not prevent a snapshot: memory serves until the file works again.
 * c->lock is held. Returns one of LMDB's codes. */
int catalog_transact(struct catalog *c, catalog_work_fn *work, void *arg);

/* The same without what waits: for work that only reads. */
int catalog_look(struct catalog *c, catalog_work_fn *work, void *arg);

/* A long piece of work rests now and then, where all that it did may stand by itself: what it wrote is
 * committed and its memory returned. No cursor may be open. Returns one of LMDB's codes. */
bool catalog_needs_rest(const struct catalog *c);
int catalog_rest(struct catalog *c);

/* LMDB's keys are at most 511 bytes: a longer path is cut and ends in its digest. Files of one
 * folder have the same beginning, whatever the length of their paths. */
#define CATALOG_KEY_MAX 511
MDB_val catalog_key(const char *path, char buf[CATALOG_KEY_MAX]);
/* What the keys of all files in a folder, whose path has len bytes, begin with, and no others; and how
 * much of a key that is. Of the folder "" it is nothing. */
MDB_val catalog_key_of_folder(const char *path, size_t len, char buf[CATALOG_KEY_MAX]);
size_t catalog_key_folder(const MDB_val *k);
/* LMDB's order, for qsort(3) of MDB_val. */
int catalog_key_cmp(const void *a, const void *b);

/* The index of a file of the store; 0: unknown. */
int catalog_index_of(struct catalog *c, const char *path, uint64_t *index);

/* Gives every file its row; new or changed files get a new row with index. believe: the indexes that
 * they bring count. all: folders that are not named are forgotten. Returns one of LMDB's codes. */
int catalog_settle_files(struct catalog *c, const struct catalog_files *files,
                         const struct catalog_shape *shape, uint64_t index, bool believe, bool all);
/* Writes rows as they are given. */
int catalog_seed_files(struct catalog *c, const struct catalog_files *files);

/* Remembers the shards that were listed, and, of those whose digest changed, the index. all: forgets
 * those whose folders are not named. Returns one of LMDB's codes. */
int catalog_put_shards(struct catalog *c, const struct catalog_shape *shape, uint64_t index,
                       bool all);

/* Forgets the shard that a file lies in ("data/DB/RP/ID/NAME"). Returns one of LMDB's codes. */
int catalog_forget_shard(struct catalog *c, const char *path);

/* Removes all whose keys are longer than this and begin with it. Returns one of LMDB's codes. */
int catalog_forget(struct catalog *c, MDB_dbi from, const void *begin, size_t len);

/* Takes the lock and does the work. Returns -errno, with a message. */
int catalog_run(struct catalog *c, catalog_work_fn *work, void *arg, struct err *e);

/* LMDB's codes as -errno, and as a message. */
int catalog_from_lmdb(int rc);
int catalog_explain(int rc, struct err *e);

#endif
