/* SPDX-License-Identifier: MIT */
/*
 * Unpacks a snapshot as it arrives, in order, into staging folders, and verifies it.
 *
 * This is the grammar of a snapshot, on top of the strict tar reader (tar_strict.h). The members
 * are to be: `manifest`; then, in any order, every file that it lists, once and with that size, and
 * folders below meta/, data/ and wal/; `SHA256SUMS`, which covers every file and must be right;
 * zeros to the end, TAR_END bytes at least. Anything else, or less, or more, is refused whole.
 *
 * The calling thread unpacks, from the first byte to the last; another one hashes.
 */
#ifndef INFLUXFS_RESTORE_UNPACK_H
#define INFLUXFS_RESTORE_UNPACK_H

#include "store/base/err.h"
#include "store/restore/plain.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

struct unpack_io {
    struct tar_input input;

    /* The manifest is known and nothing was written yet: gives the staging folders, which stay the
     * caller's. An error (-errno with a message) is returned by unpack_run. */
    int (*begin)(void *arg, const struct manifest *m, struct stage **out, struct err *e);

    /* A file is about to be unpacked; n more bytes of it were. */
    void (*member)(void *arg, const char *name, uint64_t size);
    void (*progress)(void *arg, uint64_t n);

    void *arg;
};

/* What gets the files in the place of staging folders. A function that returns -errno ends it, and
 * unpack_run returns that. */
struct unpack_sink {
    int (*begin)(void *arg, const struct manifest *m, struct err *e);
    /* One file: at is where its bytes lie in the plain tar. Then its bytes, and its end. */
    int (*open)(void *arg, const char *name, uint64_t size, uint64_t at, struct err *e);
    int (*write)(void *arg, const void *buf, size_t n, struct err *e);
    int (*close)(void *arg, struct err *e);
    void *arg;
};

/* 0: verified and on disk (see stage_finish). -EINVAL: no snapshot of a kind that can be restored;
 * -EBADMSG: damaged, hostile, or it ends early; -ENOSPC, -EIO, … of staging; all with a message.
 * Whether an incremental snapshot follows what the store holds is for the caller to judge.
 *
 * sink: without staging folders, for any kind of snapshot; io->begin is not called. NULL: staged. m
 * may be NULL; else *m is NULL before, and the caller's manifest after it, on failure too if it was
 * read. */
int unpack_run(const struct unpack_io *io, const struct unpack_sink *sink, struct manifest **m,
               struct err *e);

#endif
