/* SPDX-License-Identifier: MIT */
/*
 * One file being written into restore/: bytes at any offset in, a verdict out.
 *
 * Bytes in order go through a small ring to a thread that unpacks them into the staging folders
 * (unpack.h), so that no second copy of them is kept. Bytes behind a gap wait in an unlinked sparse
 * file until the gap is filled, or is proved to be a hole (zeros) by upload_flush. Bytes that were
 * unpacked cannot be written again (-EIO); truncation to 0 starts over.
 *
 * What the caller (a file system) does:
 *   create, open       session_may_begin, upload_new; upload_open for each handle that writes
 *   write, truncate    upload_write, upload_truncate; upload_rewind before a handle's first write
 *   flush, fsync       upload_flush: its result is the verdict that the writer sees
 *   rename             upload_rename: its result is the verdict for names that began with a dot
 *   close, unlink      upload_close; upload_abandon. The node may stay visible for a while
 *   forget             upload_free
 *
 * A name is the path below restore/. While one of its components begins with a dot (rsync's
 * temporary file) a complete snapshot is verified, staged and synced by the flush, and exchanged
 * with the store by the rename to a name without; otherwise the flush does both.
 *
 * Thread rules: every function may be called from any thread at any time, except that upload_free
 * must be the last. upload_write, upload_flush and upload_rename may block for as long as the disk takes;
 * upload_abandon from another thread wakes them (they return -ECANCELED), save during the exchange
 * itself. Whoever ends an upload waits until what it had staged is gone. Lock order: an upload's lock,
 * then the session's (session.h).
 *
 * `who` asks whether the one who waits was killed or interrupted, and may be NULL. He is then let
 * go with -EINTR, soon, whatever the disk does: verifying is given up when the last writer has
 * gone, an exchange that has begun goes on in a thread of its own, and what was to be removed still
 * is.
 */
#ifndef INFLUXFS_RESTORE_UPLOAD_H
#define INFLUXFS_RESTORE_UPLOAD_H

#include "store/base/err.h"
#include "store/restore/session.h"
#include "store/snapshot/tarball.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct upload;

/* An empty upload. Nothing is made on disk, and no thread started, before the first byte is written.
 * -ENOMEM. */
int upload_new(struct session *r, const char *name, struct upload **out);

/* Somebody has opened it for writing; has closed it. The last close of what is not complete refuses
 * it, for the reason that the last flush gave. */
void upload_open(struct upload *u);
void upload_close(struct upload *u);

/* One who has opened it was killed and closes it only because he dies: nobody asks for a verdict.
 * If nothing more is written, the last close refuses what was not restored. */
void upload_killed(struct upload *u);

/* One who has opened it is about to write its first byte, at offset 0. If byte 0 was written before
 * and nobody else has it open, the upload starts over, as after upload_truncate to 0: scp, dd
 * conv=notrunc and rsync --inplace do not truncate what they found. May wait a second for the last
 * close of a program that has ended. */
int upload_rewind(struct upload *u, const struct tarball_reader *who);

/* Takes n bytes at off. Returns 0 when all of them were taken; else what the unpacker found wrong
 * (-EINVAL not a snapshot, -EBADMSG damaged, -ENOSPC, -EAGAIN another restore is under way, -EBUSY
 * another program restores this store), -EIO for bytes that were unpacked already, -EFBIG. The
 * write that brings the end of a plain tar waits for the verdict on its sums (not for the disk):
 * bsdtar does not look at what close(2) says. Once failed it stays failed until it is truncated to
 * 0. Whoever is interrupted while he waits for room has his bytes set aside, and 0. */
int upload_write(struct upload *u, const void *buf, size_t n, uint64_t off,
                 const struct tarball_reader *who, struct err *e);

/* Sets the size. To 0: everything so far is forgotten, the upload starts over (also after a verdict).
 * Larger: what was not written reads as zeros, once a flush says so. Smaller than what was
 * unpacked: -EIO. */
int upload_truncate(struct upload *u, uint64_t size, const struct tarball_reader *who,
                    struct err *e);

/* The verdict on what was written so far:
 *   0         complete and verified, and restored unless the name has a dot (then it waits for
 *             upload_rename). A number may also wait for its parent, or the store may hold it or a
 *             later one already: session_waiting and the log tell
 *   -ESTALE   a number that does not follow what the store holds
 *   -EINVAL   nothing was written, or not a snapshot. A flush of an empty file does no harm: dd,
 *             cat and shells do one before they write
 *   -EBADMSG  damaged; or it "ends early": then it stays pending and more may be written (a
 *             compressed one may not, its end cannot be taken back)
 *   -EINTR    its writer was killed or interrupted; more may be written
 *   others    as upload_write, and what install_run returns (-EBUSY: influxd uses the store)
 * Final verdicts are sticky: asked again, they are the same. */
int upload_flush(struct upload *u, const struct tarball_reader *who, struct err *e);

/* Gives it another name. If it is verified and waiting, and the new name has no dot, the store is
 * exchanged first and the result of that returned; if it was refused, that is returned. On failure
 * the name stays as it was. */
int upload_rename(struct upload *u, const char *name, const struct tarball_reader *who,
                  struct err *e);

/* Ends it: what was staged is removed, waiting calls return -ECANCELED, later ones too, until it is
 * truncated to 0. Nothing happens after a verdict. `why` is the reason for the log. */
int upload_abandon(struct upload *u, const char *why, const struct tarball_reader *who);

/* Abandons it if it is under way, and frees it. NULL is allowed. */
void upload_free(struct upload *u);

static inline void upload_freep(struct upload **u)
{
    upload_free(*u);
}

/* The size a stat should show: the end of the last byte written, or what upload_truncate set. 0 for
 * what was refused: by its size and time it must not look like a copy that succeeded. */
uint64_t upload_size(struct upload *u);
bool upload_refused(struct upload *u);

/* True once its snapshot lies in the store's folders, or one that was built on it. False for a
 * number that waits. */
bool upload_restored(struct upload *u);

#endif
