/* SPDX-License-Identifier: MIT */
/* The inside of a set that is made: what it consists of (madeset.c), its texts (madeset_meta.c,
 * madeset_texts.c), and its open files (setfile.c). */
#ifndef INFLUXFS_SETS_MADESET_INTERNAL_H
#define INFLUXFS_SETS_MADESET_INTERNAL_H

#include "store/base/buffer.h"
#include "store/sets/madeset.h"
#include "store/sets/shardtar.h"

#include <pthread.h>

enum madeset_kind { MADESET_META, MADESET_SHARD, MADESET_LEFT_OUT, MADESET_MANIFEST };

struct madeset_file {
    char *name;
    enum madeset_kind kind;
    int64_t mtime_ns;
    struct buffer text;    /* of all but shards; that of the manifest is made when it is needed */
    struct shardtar_of of; /* a shard */
    /* Guarded by the set's lock: */
    bool have_size, have_crc;
    uint64_t size; /* of the tar; does not change once it is known */
    uint32_t crc;  /* of its bytes */
};

struct madeset_lack {
    char *words;
    bool counts;
};

struct madeset {
    struct madeshards *shards;
    struct madeset_query query;
    char *db;                /* the query's */
    char base[MADESET_BASE]; /* of portable names */
    bool *points;            /* whether a shard has any, by its number in the list */
    uint64_t *ids;           /* what it is called in the set; 0: it is not there */
    uint64_t nmeta;          /* bytes of the metastore, without what is around it */
    struct madeset_file *files;
    size_t n;
    struct madeset_lack *lacks;
    size_t nlacks;
    pthread_mutex_t lock;
};

/* The metastore, as the file of the set that holds it; sets ids. */
int madeset_meta(struct madeset *s, struct buffer *out, struct err *e);

/* Adds a line; takes over words, which may be NULL: then there was no memory. */
int madeset_add_lack(struct madeset *s, bool counts, char *words);

/* The text of `left_out`: the set's own lines, and what the capture leaves out. Empty: nothing. */
void madeset_left_out(const struct madeset *s, struct buffer *out);
/* The manifest of a portable set; the sizes of all shards are known. */
int madeset_manifest(const struct madeset *s, struct buffer *out, struct err *e);

/* Finds the size of a shard's tar, and what else is remembered of it. */
int madeset_tar_size(struct madeset *s, struct madeset_file *f, const struct tarball_reader *reader,
                     struct err *e);
/* Makes the text of the manifest, unless it is there. */
int madeset_make_manifest(struct madeset *s, struct madeset_file *f,
                          const struct tarball_reader *reader, struct err *e);
/* The CRC of a tar whose size is known: whether it is known, too; looks for it in the catalogue; and
 * remembers it. */
bool madeset_knows_crc(struct madeset *s, struct madeset_file *f, uint32_t *crc);
void madeset_recall_crc(struct madeset *s, struct madeset_file *f);
void madeset_know_crc(struct madeset *s, struct madeset_file *f, uint32_t crc);

/* The size of the file around a tar of so many bytes. */
uint64_t madeset_file_size(const struct madeset *s, const struct madeset_file *f);

#endif
