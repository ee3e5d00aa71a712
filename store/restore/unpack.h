/* SPDX-License-Identifier: MIT */
/*
 * Unpacks a snapshot as it arrives, in order, into staging folders, and verifies it.
 *
 * This is the grammar of a snapshot, on top of the strict tar reader (tar_strict.h): `manifest`;
 * then, in any order, every file that it lists, once and with that size, and folders below meta/,
 * data/ and wal/; `SHA256SUMS`, which must cover every file and be right; zeros to the end, at
 * least TAR_END bytes. Anything else, more or less, is refused whole.
 *
 * The calling thread unpacks, from start to end; another one hashes.
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
     * caller's. unpack_run returns its error (-errno with a message). */
    int (*begin)(void *arg, const struct manifest *m, struct stage **out, struct err *e);

    /* A file will be unpacked next; n more bytes of it were. */
    void (*member)(void *arg, const char *name, uint64_t size);
    void (*progress)(void *arg, uint64_t n);

    void *arg;
};

/* Gets the files instead of staging folders. A function's -errno ends unpack_run, which returns
 * it. */
struct unpack_sink {
    int (*begin)(void *arg, const struct manifest *m, struct err *e);
    /* A file, whose bytes are at `at` in the plain tar; its bytes; its end. */
    int (*open)(void *arg, const char *name, uint64_t size, uint64_t at, struct err *e);
    int (*write)(void *arg, const void *buf, size_t n, struct err *e);
    int (*close)(void *arg, struct err *e);
    void *arg;
};

/* 0: verified and on disk (see stage_finish). -EINVAL: not a snapshot that can be restored;
 * -EBADMSG: damaged, hostile, or it ends early; -ENOSPC, -EIO, … of staging; all with a message.
 * The caller judges whether an increment follows what the store holds.
 *
 * sink: replaces staging, for any kind of snapshot; io->begin is not called. NULL: staged. m may be
 * NULL; else *m must be NULL, and becomes the caller's manifest, on failure too if it was read. */
int unpack_run(const struct unpack_io *io, const struct unpack_sink *sink, struct manifest **m,
               struct err *e);

#endif
