/* SPDX-License-Identifier: MIT */
/*
 * A capture as one tar: any range of bytes, at any time, by any number of readers.
 *
 * The layout is arithmetic: a member's place follows from the sizes before it. So the size is known
 * before any read, and no byte is stored. Order: manifest, the capture's members, SHA256SUMS, 1024
 * zero bytes. The bytes are a function of the capture alone. Immutable except for the sums, which a
 * hasher finds as readers advance; safe in any thread.
 *
 * Whoever reads in order, one of several or at any offset, finds what comes next in the page cache
 * already, across the boundaries of members (inorder.h).
 */
#ifndef INFLUXFS_SNAPSHOT_TARBALL_H
#define INFLUXFS_SNAPSHOT_TARBALL_H

#include "store/snapshot/hasher.h"

#include <pthread.h>
#include <sys/types.h>

struct tarball;

/* Takes over the caller's reference to c, also on failure. The caller owes one tarball_unref,
 * before the hasher is freed. */
int tarball_new(struct hasher *h, struct capture *c, struct tarball **out);
struct tarball *tarball_ref(struct tarball *t);
void tarball_unref(struct tarball *t); /* NULL is allowed */
static inline void tarball_unrefp(struct tarball **t)
{
    tarball_unref(*t);
}

/* A weak reference: finds a tarball while others hold references to it. */
struct tarball_weak {
    pthread_mutex_t lock;
    struct tarball *to;
};

#define TARBALL_WEAK                                                                               \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, NULL                                                            \
    }

/* Makes w, which must outlive t, lead to t. Once in the life of t. */
void tarball_weak_set(struct tarball_weak *w, struct tarball *t);
/* A new reference; NULL: no reference is left. */
struct tarball *tarball_weak_ref(struct tarball_weak *w);

struct capture *tarball_capture(const struct tarball *t);
uint64_t tarball_size(const struct tarball *t);    /* bytes */
int64_t tarball_mtime_ns(const struct tarball *t); /* when this state was first captured */

/* The number of the capture's members whose header begins before byte off. */
size_t tarball_begun(const struct tarball *t, uint64_t off);

/* Whether the n bytes at off may be read before they are asked for: they lie within the tar, need no wait
 * for a sum, and take no processor that hashing or another program wants. */
bool tarball_is_ready(const struct tarball *t, size_t n, uint64_t off);

/* A reader, who may be interrupted during a wait for a sum; interrupted may be NULL. */
struct tarball_reader {
    bool (*interrupted)(void *ctx);
    void *ctx;
};

static inline bool reader_interrupted(const struct tarball_reader *reader)
{
    return reader && reader->interrupted && reader->interrupted(reader->ctx);
}

/* Reads n bytes at off, fewer only at the end of the tar (0 at or after it). -EIO, with a message,
 * when a captured file can no longer be read whole; -EINTR. */
ssize_t tarball_read(struct tarball *t, void *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e);

/* Waits for the sums of the members whose headers begin in [from, to): for a reader in order that
 * does not want to wait for all of them at the end. Errors as tarball_read. */
int tarball_wait_sums(struct tarball *t, uint64_t from, uint64_t to,
                      const struct tarball_reader *reader, struct err *e);

#endif
