/* SPDX-License-Identifier: MIT */
/*
 * The first half of unpacking: what was dropped, compressed or not, as the plain bytes of a tar.
 * Exactly one layer of compression is taken off, told by its magic: what unpacks to something
 * compressed again is no snapshot, and a file that unpacks to itself would never end. The first
 * header of the tar is looked at here, so that what is no snapshot is known at once.
 */
#ifndef INFLUXFS_RESTORE_PLAIN_H
#define INFLUXFS_RESTORE_PLAIN_H

#include "store/base/err.h"
#include "store/restore/frame.h"
#include "store/restore/unpack.h"

#include <archive.h>

struct plain {
    const struct unpack_io *io;
    struct archive *filters;
    unsigned char head[FRAME_BLOCK]; /* what was read to look at */
    size_t nhead;
    const void *rest; /* of the block that head's last bytes came from */
    size_t nrest;
    uint64_t fed;                     /* bytes given to the filters */
    unsigned char first[FRAME_BLOCK]; /* of what was compressed: its first header, */
    size_t nfirst;
    bool given;       /* which plain_next has passed on, */
    const void *next; /* and what came with its last bytes */
    size_t nnext;
    bool compressed;
    bool ended;   /* the input has ended */
    int if_ended; /* what to tell pull: set by the reader as it goes */
    int failed;   /* what pull returned */
};

/* Waits for the first bytes. -EINVAL: not a snapshot; -EBADMSG: one with its first header damaged,
 * or ending there; -ENOTSUP. plain_close is due in any case. */
int plain_open(struct plain *p, const struct unpack_io *io, struct err *e);

/* The next bytes, good until the next call: their number, 0 at the end, -errno. */
ssize_t plain_next(struct plain *p, const void **block, struct err *e);

/* After the end: that nothing but the tar was in the input. */
int plain_end(struct plain *p, struct err *e);

void plain_close(struct plain *p);

/* What a failed call of libarchive means. */
int plain_archive_errno(struct archive *a);

#endif
