/* SPDX-License-Identifier: MIT */
/*
 * The first half of unpacking: what was dropped, compressed or not, as the plain bytes of a tar.
 * Looks at the first block itself, so that what is no snapshot is known at once.
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
    uint64_t fed; /* bytes given to the filters */
    bool compressed;
    bool ended;   /* the input has ended */
    int if_ended; /* what to tell pull: set by the reader as it goes */
    int failed;   /* what pull returned */
};

/* Waits for the first bytes. -EINVAL: not a snapshot; -EBADMSG: one with its first header damaged,
 * or ending there. plain_close is due in any case. */
int plain_open(struct plain *p, const struct unpack_io *io, struct err *e);

/* The next bytes, good until the next call: their number, 0 at the end, -errno. */
ssize_t plain_next(struct plain *p, const void **block, struct err *e);

/* After the end: that nothing but the tar was in the input. */
int plain_end(struct plain *p, struct err *e);

void plain_close(struct plain *p);

/* Whether plain bytes begin as a snapshot does, give or take a damaged byte. */
bool plain_begins_well(const void *block, size_t n);

/* What a failed call of libarchive means. */
int plain_archive_errno(struct archive *a);

#endif
