/* SPDX-License-Identifier: MIT */
/*
 * The plain bytes of a tar, compressed or not. Takes off exactly one layer of compression,
 * recognized by its first bytes (gzip, zstd, xz, lz4): a file that unpacks to itself would never
 * end. Looks at the first header of the tar, so that anything but a snapshot is known at once. Used
 * by one thread at a time.
 */
#ifndef INFLUXFS_RESTORE_PLAIN_H
#define INFLUXFS_RESTORE_PLAIN_H

#include "store/base/err.h"

#include <archive.h>
#include <stdbool.h>
#include <sys/types.h>

/* if_ended: it is compressed, so only the end itself can show. */
enum { TAR_UNSURE = 1 };

/* Where the bytes of a tar come from. */
struct tar_input {
    /* The next bytes, unchanged until the next call: their number, 0 at the end, or -errno to
     * abandon the reading, which the reader returns. May block. if_ended is the reader's result
     * if the input ended here: 0 complete, -EBADMSG it ends early, -EINVAL no snapshot, or
     * TAR_UNSURE. */
    ssize_t (*pull)(void *arg, int if_ended, const void **block);

    /* 0, or the -errno to abandon the reading with. Asked at every block, since few compressed
     * bytes can become very many. May be NULL. */
    int (*stop)(void *arg);

    void *arg;
};

struct plain;

/* Waits for the first bytes. first: the name of the first member; NULL: any, or none. -EINVAL:
 * something else; -EBADMSG: the first header is damaged or cut off; -ENOTSUP; -ENOMEM. */
int plain_open(const struct tar_input *in, const char *first, struct plain **out, struct err *e);
void plain_close(struct plain *p); /* NULL is allowed */

/* The next bytes, unchanged until the next call: their number, 0 at the end, -errno. */
ssize_t plain_next(struct plain *p, int if_ended, const void **block, struct err *e);

/* After the end: checks that nothing else was in the input. */
int plain_end(struct plain *p, struct err *e);

/* Whether a file that begins with these bytes is compressed, in a way that is known here. */
bool plain_begins_compressed(const void *head, size_t n);

/* What such a file is that ends after these bytes, before its first header is complete, if its first
 * member should have this name (NULL: any): -EBADMSG (it may be one) or -EINVAL. */
int plain_cut_off(const char *first, const void *head, size_t n);

bool plain_is_compressed(const struct plain *p);
bool plain_has_ended(const struct plain *p); /* the input has */

/* What a failed call of libarchive means. */
int plain_archive_errno(struct archive *a);

#endif
