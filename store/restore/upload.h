/* SPDX-License-Identifier: MIT */
/*
 * One file being written into restore/: bytes at any offset in, a verdict out.
 *
 * A thread unpacks the bytes in order (unpack.h); bytes after a gap wait (feed.h). Bytes that were
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
 * A name is the path below restore/. If one of its components begins with a dot (rsync's temporary
 * file), the flush verifies, stages and syncs a complete snapshot, and the rename to a name without
 * a dot exchanges it with the store; otherwise the flush does both.
 *
 * Threads: every function may be called from any thread at any time; upload_free must be the last.
 * upload_write, upload_flush and upload_rename may block as long as the disk takes; upload_abandon
 * in another thread ends their wait (-ECANCELED), except during the exchange. A call that ends an
 * upload waits until what was staged is gone. Lock order: the upload's, the session's.
 *
 * `who`, which may be NULL, says whether the caller was killed or interrupted. The call then soon
 * returns -EINTR, whatever the disk does. Its work goes on: verifying until the last writer has
 * closed, an exchange and the removal of what was staged to their end.
 */
#ifndef INFLUXFS_RESTORE_UPLOAD_H
#define INFLUXFS_RESTORE_UPLOAD_H

#include "store/base/err.h"
#include "store/restore/restore_request.h"
#include "store/restore/session.h"
#include "store/snapshot/tarball.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct upload;

/* An empty upload. Until the first byte is written, it has no files and no thread. `asked`, which is
 * copied, says what is wanted of the snapshot; NULL: that it takes the place of the store. -ENOMEM. */
int upload_new(struct session *s, const char *name, const struct restore_request *asked,
               struct upload **out);

/* Before its first byte: what comes knows more than the snapshot with this id, which was restored
 * just before. If the store still is as of that one, what it replaced stays kept, rather than that
 * one. -ENOMEM. */
int upload_follow(struct upload *u, const char *id);

/* A handle was opened for writing; was closed. The last close refuses what is incomplete, for the
 * last flush's reason. */
void upload_open(struct upload *u);
void upload_close(struct upload *u);

/* A writer was killed and its handle is being closed: no program will see a verdict. If nothing
 * more is written, the last close refuses what was not restored. */
void upload_killed(struct upload *u);

/* A handle is about to write its first byte, at offset 0. If byte 0 was written before and no other
 * handle is open, starts over as upload_truncate to 0: scp, dd conv=notrunc and rsync --inplace do
 * not truncate. May wait a second for the last close of a program that has ended. */
int upload_rewind(struct upload *u, const struct tarball_reader *who);

/* Takes all n bytes at off: 0. Else what the unpacker found (-EINVAL not a snapshot, -EBADMSG
 * damaged, -ENOSPC, -EAGAIN another restore is under way, -EBUSY another program restores this
 * store); -EIO for bytes that were unpacked already; -EFBIG. The write that ends a plain tar waits
 * for the verdict on its sums (not for the disk), since bsdtar ignores the result of close(2). A
 * failed upload stays failed until it is truncated to 0. An interrupted write has its bytes set
 * aside and returns 0. */
int upload_write(struct upload *u, const void *buf, size_t n, uint64_t off,
                 const struct tarball_reader *who, struct err *e);

/* Sets the size. To 0: starts over, also after a verdict. Larger: what was not written reads as
 * zeros, once a flush says so. Smaller than what was unpacked: -EIO. */
int upload_truncate(struct upload *u, uint64_t size, const struct tarball_reader *who,
                    struct err *e);

/* The verdict on what was written so far:
 *   0         complete and verified, and restored unless the name has a dot (then it waits for
 *             upload_rename). An increment may also wait for its parent, or the store may hold it
 *             or a later one already: account_waiting and the log say which
 *   -ESTALE   an increment that does not follow what the store holds
 *   -EINVAL   nothing was written, or not a snapshot. A flush of an empty file does no harm: dd,
 *             cat and shells do one before they write
 *   -EBADMSG  damaged; or it "ends early": then more may be written, unless it is compressed
 *   -EINTR    its writer was killed or interrupted; more may be written
 *   others    as upload_write, and what install_run returns (-EBUSY: influxd uses the store)
 * Once final, a verdict stays the same. */
int upload_flush(struct upload *u, const struct tarball_reader *who, struct err *e);

/* Renames it. From a name with a dot to one without: first exchanges what is verified with the
 * store, and returns the result of that, or the refusal. On failure the old name stays. */
int upload_rename(struct upload *u, const char *name, const struct tarball_reader *who,
                  struct err *e);

/* Ends it, unless it has a verdict: removes what was staged. Waiting calls return -ECANCELED, as do
 * later ones until it is truncated to 0. `why` is the reason for the log. */
int upload_abandon(struct upload *u, const char *why, const struct tarball_reader *who);

/* Abandons and frees it. NULL is allowed. */
void upload_free(struct upload *u);

static inline void upload_freep(struct upload **u)
{
    upload_free(*u);
}

/* The size for stat(2): the end of the last byte written, or as set by upload_truncate. 0 once
 * refused: that must not look like a successful copy. */
uint64_t upload_size(struct upload *u);
bool upload_refused(struct upload *u);

/* Whether the store is as of this snapshot or a later one of its chain; false for an increment that
 * waits. */
bool upload_restored(struct upload *u);

#endif
