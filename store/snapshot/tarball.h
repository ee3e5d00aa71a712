/* SPDX-License-Identifier: MIT */
/*
 * A capture as one tar: any range of bytes, at any time, by any number of readers.
 *
 * The layout is arithmetic: every member's place follows from the sizes before it, so the size is
 * known before anything is read and no byte is stored. Members: manifest, those of the capture,
 * SHA256SUMS, and 1024 zero bytes. The bytes are a function of the capture alone.
 *
 * Immutable but for the sums, which a hasher finds as readers go along; safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_TARBALL_H
#define INFLUXFS_SNAPSHOT_TARBALL_H

#include "store/snapshot/hasher.h"

#include <pthread.h>
#include <sys/types.h>

struct tarball;

/* Takes over the caller's reference to c, on failure too. The caller owes one tarball_unref, before
 * the hasher is freed. */
int tarball_new(struct hasher *h, struct capture *c, struct tarball **out);
void tarball_unref(struct tarball *t); /* NULL is allowed */
static inline void tarball_unrefp(struct tarball **t)
{
    tarball_unref(*t);
}

/* Where a tarball is found for as long as others have references to it. It counts as none. */
struct tarball_weak {
    pthread_mutex_t lock;
    struct tarball *to;
};

#define TARBALL_WEAK                                                                               \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, NULL                                                            \
    }

/* w, which must outlive t, leads to t from now on. Once in the life of t. */
void tarball_weak_set(struct tarball_weak *w, struct tarball *t);
/* A reference of the caller's; NULL: there is no other any more. */
struct tarball *tarball_weak_ref(struct tarball_weak *w);

struct capture *tarball_capture(const struct tarball *t);
uint64_t tarball_size(const struct tarball *t);    /* bytes */
int64_t tarball_mtime_ns(const struct tarball *t); /* when this state was first captured */

/* How many of the capture's members have their header, or a part of it, before byte off. */
size_t tarball_begun(const struct tarball *t, uint64_t off);

/* Whether the n bytes at off lie within the tar and can be had without waiting for a sum. */
bool tarball_is_ready(const struct tarball *t, size_t n, uint64_t off);

/* Whoever reads may be interrupted while a sum is waited for; interrupted may be NULL. */
struct tarball_reader {
    bool (*interrupted)(void *ctx);
    void *ctx;
};

static inline bool reader_interrupted(const struct tarball_reader *reader)
{
    return reader && reader->interrupted && reader->interrupted(reader->ctx);
}

/* Reads up to n bytes at off: as many as there are before the end of the tar (0 at or after it),
 * never fewer. -EIO, with a message, when a captured file can no longer be read whole; -EINTR. */
ssize_t tarball_read(struct tarball *t, void *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e);

#endif
