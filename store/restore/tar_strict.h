/* SPDX-License-Identifier: MIT */
/*
 * Reads a tar that may be hostile, and may be compressed once (plain.h). Members are files and
 * folders; headers, padding and what follows the last member are checked to the last bit
 * (tar_frame.h). The caller judges which members and names there may be.
 *
 *   struct tar_member m;
 *   r = tar_strict_open(&input, "manifest", &t, e);
 *   while (r == 0 && (r = tar_strict_next(t, &m, e)) > 0)
 *       while ((r = tar_strict_data(t, &buf, e)) > 0)
 *           …
 *   r = r < 0 ? r : tar_strict_end(t, e);
 *   tar_strict_close(t);
 *
 * Used by one thread at a time. Functions return -errno: of the input or its stop; or, with a
 * message, -EBADMSG (damaged, hostile, or it ends early), -EINVAL (not such a tar), -ENOMEM.
 */
#ifndef INFLUXFS_RESTORE_TAR_STRICT_H
#define INFLUXFS_RESTORE_TAR_STRICT_H

#include "store/base/err.h"
#include "store/restore/plain.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAR_ZEROS_MAX (64u << 20) /* bytes after a compressed tar, which may all be zeros */

struct tar_strict;

struct tar_member {
    char name[PATH_MAX]; /* without a folder's trailing slash */
    bool folder;
    mode_t mode;      /* permission bits */
    int64_t mtime_ns; /* -1: not said */
    uint64_t size;    /* 0 of a folder */
    uint64_t at;      /* where its data begin in the plain tar */
};

/* Waits for the first header. `first`: the expected name of the first member; NULL: any, or none. */
int tar_strict_open(const struct tar_input *in, const char *first, struct tar_strict **out,
                    struct err *e);
void tar_strict_close(struct tar_strict *t); /* NULL is allowed */

/* 1: *m is the next member, and must stay until its data were read; 0: no more. */
int tar_strict_next(struct tar_strict *t, struct tar_member *m, struct err *e);

/* The member's next bytes, unchanged until the next call: their number, 0 at its end. Data need not
 * be read. */
ssize_t tar_strict_data(struct tar_strict *t, const void **buf, struct err *e);

/* After the last member was read: reads the input to its end, where only zeros may follow. */
int tar_strict_end(struct tar_strict *t, struct err *e);

/* Whether it is compressed; how many bytes of the plain tar were read. */
bool tar_strict_is_compressed(const struct tar_strict *t);
uint64_t tar_strict_bytes(const struct tar_strict *t);

#endif
