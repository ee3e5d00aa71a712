/* SPDX-License-Identifier: MIT */
/* What a generated file is, and what makes its bytes (generated.h). */
#ifndef INFLUXFS_FS_GENERATED_MAKER_H
#define INFLUXFS_FS_GENERATED_MAKER_H

#include "fs/fs.h"
#include "store/base/buffer.h"
#include "store/points/schema_cache.h"

struct generated;
struct makings;

struct generated_maker {
    /* Starts the bytes of g: from the beginning (mark NULL), or from where this mark of a text with
     * the same digest was. The contents and g outlive *text; the mark need not. */
    int (*begin)(const struct generated *g, struct schema_cache *c,
                 const struct tarball_reader *reader, const struct buffer *mark, void **text,
                 struct err *e);
    /* Makes the next bytes, 1 to n; 0 at the end. buf NULL: skips them. */
    ssize_t (*next)(void *text, void *buf, size_t n, struct err *e);
    /* Appends a mark of the next byte to *mark. -EAGAIN: there is none here; then soon after the
     * bytes that are ready, `next` ends a piece where there is one. NULL: there are no marks. */
    int (*mark)(void *text, struct buffer *mark);
    void (*end)(void *text); /* NULL is allowed */
    /* Reports why g could not be read; gives the reader's errno for -errno r. */
    int (*failed)(const struct generated *g, int r, const struct err *e);
};

/* A file. A branch embeds this as the first member of its own, allocated as zeros. */
struct generated {
    struct node node;
    struct fs *fs;
    const struct generated_maker *maker;
    uint8_t digest[SHA256_BYTES]; /* of its bytes */
    uint64_t size;
    int64_t mtime_ns; /* the branch sets it */
    struct material contents;
    /* While it is open; guarded by the lock of all generated files. */
    unsigned open;
    struct makings *makings;
    struct generated *prev, *next;
};

#endif
