/* SPDX-License-Identifier: MIT */
/*
 * Files that are made of a capture's contents while they are read: forward from where the last read
 * ended, and a step back begins again. Dumps are such files.
 *
 * A branch gives the bytes (struct generated_maker), and a digest of all that they depend on. The
 * size is known before the file is opened: the bytes are made once to find it, and it is remembered
 * in the catalogue under the digest. A node is for one digest, and never changes.
 *
 * The contents stay pinned while the file is open, and for a while after it was looked up
 * (lifetime.h); a later open gets ESTALE, and the kernel looks again.
 */
#ifndef INFLUXFS_FS_GENERATED_H
#define INFLUXFS_FS_GENERATED_H

#include "fs/fs.h"
#include "store/points/schema_cache.h"

struct generated;

struct generated_maker {
    /* Begins the bytes of g anew. The contents, and g, outlive *text. */
    int (*begin)(const struct generated *g, struct schema_cache *c,
                 const struct tarball_reader *reader, void **text, struct err *e);
    /* The next bytes, at most n, at least one; 0: the end. buf NULL: they are passed over. */
    ssize_t (*next)(void *text, void *buf, size_t n, struct err *e);
    void (*end)(void *text); /* NULL is allowed */
    /* Reports why g could not be read, and gives what the reader is told for -errno r. */
    int (*failed)(const struct generated *g, int r, const struct err *e);
};

/* A file: the first member of what a branch allocates for it in one piece, with zeros. */
struct generated {
    struct node node;
    struct fs *fs;
    const struct generated_maker *maker;
    uint64_t size;
    int64_t mtime_ns; /* the branch sets it */
    struct material contents;
};

void generated_files_init(struct fs *fs); /* fs->generated */

/* Before anything else. dir is the folder that the file was found in. */
void generated_init(struct generated *g, struct fs *fs, const struct generated_maker *maker,
                    ino_t ino, const struct node *dir);

/* The size of g, made of these contents. Errors as those of the maker, with words; -EINTR. */
int generated_size(struct generated *g, struct schema_cache *c, const uint8_t digest[SHA256_BYTES],
                   const struct tarball_reader *reader, struct err *e);

/* Says what the file, which was found or added, is made of from now on. */
void generated_made_of(struct generated *g, struct schema_cache *c);

#endif
