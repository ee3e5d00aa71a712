/* SPDX-License-Identifier: MIT */
/*
 * A snapshot arriving in order, as a tar, becomes verified staging folders.
 *
 * The members are to be: `manifest`; then, in any order, every file that it lists, once and with
 * that size, and folders below meta/, data/ and wal/; `SHA256SUMS`, which covers every file and
 * must be right; zeros to the end, 1024 bytes at least. The tar may be compressed with gzip, zstd,
 * xz or lz4, once; what follows it then is at most UNPACK_ZEROS_MAX. Anything else, or less, or
 * more, is refused whole.
 *
 * unpack_run works in the calling thread (and hashes in another), from the first byte to the last.
 * unpack_check is the same without staging folders: whoever wants to may look at the files instead.
 */
#ifndef INFLUXFS_RESTORE_UNPACK_H
#define INFLUXFS_RESTORE_UNPACK_H

#include "store/base/err.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

#include <sys/types.h>

enum { UNPACK_UNSURE = 1 };

#define UNPACK_ZEROS_MAX (64u << 20)

struct unpack_io {
    /* Gives the next bytes, which stay as they are until the next call: their number, 0 at the end,
     * or -errno to abandon (unpack_run returns it). May block. if_ended is what the verdict would
     * be if the input ended here: 0 complete, -EBADMSG it ends early, -EINVAL it is no snapshot,
     * UNPACK_UNSURE it is compressed: only the end itself can tell. */
    ssize_t (*pull)(void *arg, int if_ended, const void **block);

    /* The manifest is known and nothing was written yet: gives the staging folders, which stay the
     * caller's. An error is returned by unpack_run. */
    int (*begin)(void *arg, const struct manifest *m, struct stage **out, struct err *e);

    /* A file is about to be unpacked; n more bytes of it were. */
    void (*member)(void *arg, const char *name, uint64_t size);
    void (*progress)(void *arg, uint64_t n);

    /* Not 0: the -errno to abandon it with, which unpack_run returns. Asked at every block, since a
     * few compressed bytes can become very many. May be NULL. */
    int (*stop)(void *arg);

    void *arg;
};

/* 0: verified and on disk (see stage_finish). -EINVAL: no snapshot of a kind that can be restored;
 * -EBADMSG: damaged, hostile, or it ends early; -ENOSPC, -EIO, … of staging. Of an incremental
 * snapshot, what it has to do with the store is the caller's question. */
int unpack_run(const struct unpack_io *io, struct err *e);

/* Where files go instead. A function that returns -errno ends it, and unpack_check returns that. */
struct unpack_sink {
    int (*begin)(void *arg, const struct manifest *m, struct err *e);
    /* One file: at is where its bytes lie in the plain tar. Then its bytes, and its end. */
    int (*open)(void *arg, const char *name, uint64_t size, uint64_t at, struct err *e);
    int (*write)(void *arg, const void *buf, size_t n, struct err *e);
    int (*close)(void *arg, struct err *e);
    void *arg;
};

/* Of any kind of snapshot; io->begin is not called. If its manifest could be read, the caller gets
 * it, on failure too: *m is to be NULL before. */
int unpack_check(const struct unpack_io *io, const struct unpack_sink *sink, struct manifest **m,
                 struct err *e);

#endif
