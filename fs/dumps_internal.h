/* SPDX-License-Identifier: MIT */
/* The inside of dump/: its nodes (dumpnodes.c), its folders (dumps.c) and its files (dumpfile.c).
 */
#ifndef INFLUXFS_FS_DUMPS_INTERNAL_H
#define INFLUXFS_FS_DUMPS_INTERNAL_H

#include "fs/dumps.h"
#include "store/export/dump_name.h"

#include <pthread.h>

/* What a capture contains, for as long as somebody asks. */
struct dump_contents {
    struct schema_cache *contents;
    int64_t used_ns; /* monotonic */
    struct dump_contents *next;
};

/* So many lines tell what dumps lack. */
#define DUMPS_LACKS 200

struct dumps {
    struct fs *fs;
    struct gaps gaps;     /* what dumps may lack */
    pthread_mutex_t lock; /* guards what follows, and what changes in nodes */
    struct dump_contents *contents;
    struct dump_node *nodes; /* hash by key */
    char *lacks[DUMPS_LACKS];
    size_t nlacks;
    bool more_lacks;
};

struct dump_node {
    struct node node;
    struct dumps *all;
    ino_t ino;
    enum dump_format format;
    char *db, *rp; /* NULL: a folder further up */
    int32_t day;
    /* Of a file: */
    struct dump_query query; /* its names are the node's own */
    uint64_t size;
    int64_t mtime_ns;
    struct schema_cache *contents; /* what it is made of; NULL once let go */
    int64_t used_ns;               /* monotonic: when it was looked up or closed last */
    unsigned open;
    UT_hash_handle by_key;
    size_t nkey;
    char key[]; /* a folder's path; of a file, its path and the digest of its text */
};

/* What dumps may lack, and what they were found to (dumplacks.c). */
void dumps_lacks_init(struct dumps *d);
void dumps_lacks_clear(struct dumps *d);

/* What the caller's capture contains; the caller owes one schema_cache_unref. */
int dumps_contents(struct request *r, struct schema_cache **out);

/* Tells status.json why something in a folder failed, unless it is the caller's affair, and gives
 * what the caller is told. */
int dumps_failed(struct fs *fs, const struct dump_node *at, int rc, const struct err *e);

/* The node with a key, pinned, or else a new one: proto is copied, and so are its names. */
int dumps_node(struct dumps *d, const struct node_ops *ops, const struct dump_node *proto,
               const void *key, size_t nkey, struct dump_node **out);
/* The node with a key if there is one, pinned; else NULL. */
struct dump_node *dumps_find(struct dumps *d, const void *key, size_t nkey);

/* st_ino of what has this path. */
ino_t dumps_ino(const void *path, size_t n);

/* For node_ops.free. */
void dumps_node_free(struct node *n);

/* The file of a measurement, n bytes, and a range of times in a policy's folder. */
int dumpfile_lookup(struct request *r, const struct dump_node *dir, struct schema_cache *c,
                    const struct dump_query *q, struct node **out);
ino_t dumpfile_ino(const struct dump_query *q);

#endif
