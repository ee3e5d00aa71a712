/* SPDX-License-Identifier: MIT */
/*
 * Files made of a capture's contents while they are read, such as dumps. Reading goes forward from
 * the last read; a step back starts again.
 *
 * A branch gives the bytes (struct generated_maker), and a digest of all that they depend on. To
 * know the size before the file is opened, the bytes are made once; the catalogue remembers the
 * size by the digest. A node is for one digest and never changes.
 *
 * The contents stay pinned while the file is open, and for a while after a look-up (lifetime.h); a
 * later open gets ESTALE, and the kernel looks again.
 */
#ifndef INFLUXFS_FS_GENERATED_H
#define INFLUXFS_FS_GENERATED_H

#include "fs/fs.h"
#include "store/points/schema_cache.h"

struct generated;

struct generated_maker {
    /* Starts the bytes of g. The contents and g outlive *text. */
    int (*begin)(const struct generated *g, struct schema_cache *c,
                 const struct tarball_reader *reader, void **text, struct err *e);
    /* Makes the next bytes, 1 to n; 0 at the end. buf NULL: skips them. */
    ssize_t (*next)(void *text, void *buf, size_t n, struct err *e);
    void (*end)(void *text); /* NULL is allowed */
    /* Reports why g could not be read; gives the reader's errno for -errno r. */
    int (*failed)(const struct generated *g, int r, const struct err *e);
};

/* A file. A branch embeds this as the first member of its own, allocated as zeros. */
struct generated {
    struct node node;
    struct fs *fs;
    const struct generated_maker *maker;
    uint64_t size;
    int64_t mtime_ns; /* the branch sets it */
    struct material contents;
};

void generated_files_init(struct fs *fs); /* fs->generated */

/* Call first. dir is the folder in which the file was found. */
void generated_init(struct generated *g, struct fs *fs, const struct generated_maker *maker,
                    ino_t ino, const struct node *dir);

/* The size of g, made of these contents. The maker's errors, with a message; -EINTR. */
int generated_size(struct generated *g, struct schema_cache *c, const uint8_t digest[SHA256_BYTES],
                   const struct tarball_reader *reader, struct err *e);

/* Sets what the file, found or added, is made of from now on. */
void generated_made_of(struct generated *g, struct schema_cache *c);

#endif
