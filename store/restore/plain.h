/* SPDX-License-Identifier: MIT */
/*
 * The plain bytes of a tar that arrives, compressed or not. Exactly one layer of compression is
 * taken off, recognized by its first bytes (gzip, zstd, xz, lz4): a file that unpacks to itself
 * would never end. The first header of the tar is looked at here, so that what is no snapshot is
 * known at once. Used by one thread at a time.
 */
#ifndef INFLUXFS_RESTORE_PLAIN_H
#define INFLUXFS_RESTORE_PLAIN_H

#include "store/base/err.h"

#include <archive.h>
#include <stdbool.h>
#include <sys/types.h>

/* if_ended: it is compressed, and only the end itself can tell. */
enum { TAR_UNSURE = 1 };

/* Where the bytes of a tar come from. */
struct tar_input {
    /* The next bytes, which stay as they are until the next call: their number, 0 at the end, or
     * -errno to abandon it, which is what the reader returns then. May block. if_ended is what the
     * reader would return if the input ended here: 0 it is complete, -EBADMSG it ends early,
     * -EINVAL it is no snapshot, or TAR_UNSURE. */
    ssize_t (*pull)(void *arg, int if_ended, const void **block);

    /* Other than 0: the -errno to abandon it with. Asked at every block, since a few compressed
     * bytes can become very many. May be NULL. */
    int (*stop)(void *arg);

    void *arg;
};

struct plain;

/* Waits for the first bytes. first: the name of the tar's first member. -EINVAL: something else;
 * -EBADMSG: its first header is damaged, or it ends there; -ENOTSUP; -ENOMEM. */
int plain_open(const struct tar_input *in, const char *first, struct plain **out, struct err *e);
void plain_close(struct plain *p); /* NULL is allowed */

/* The next bytes, which stay until the next call: their number, 0 at the end, -errno. */
ssize_t plain_next(struct plain *p, int if_ended, const void **block, struct err *e);

/* After the end: that nothing else was in the input. */
int plain_end(struct plain *p, struct err *e);

bool plain_is_compressed(const struct plain *p);
bool plain_has_ended(const struct plain *p); /* the input has */

/* What a failed call of libarchive means. */
int plain_archive_errno(struct archive *a);

#endif
