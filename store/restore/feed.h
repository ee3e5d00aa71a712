/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one file on their way from its writers, in any order, to the one thread that reads
 * it from start to end.
 *
 * Bytes in order pass through a small ring, so no second copy is kept. Bytes after a gap wait in an
 * unlinked sparse file until the gap is filled, or feed_finish proves it a hole, which reads as
 * zeros. Bytes that went into the ring cannot be written again.
 *
 * The owner's lock guards a feed and is held in all calls but feed_new, feed_free, feed_next and
 * feed_stopped. Calls that wait release it meanwhile, and return -EINTR soon after `who`, which may
 * be NULL, was interrupted. Errors without a message: -EPIPE (the reading has ended), -EINTR,
 * -EALREADY, and the reader's own; all others have one.
 */
#ifndef INFLUXFS_RESTORE_FEED_H
#define INFLUXFS_RESTORE_FEED_H

#include "store/base/err.h"
#include "store/snapshot/tarball.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

struct feed;

/* lock and changed (of cond_init, signalled at every change) are the owner's. open_spool gives a
 * nameless file for bytes out of order, or -errno with a message. -ENOMEM. */
int feed_new(pthread_mutex_t *lock, pthread_cond_t *changed,
             int (*open_spool)(void *arg, struct err *e), void *arg, struct feed **out);
void feed_free(struct feed *f); /* NULL is allowed */

/* Waits for a change of the feed, or of anything else that signals `changed`. */
int feed_wait(const struct feed *f, const struct tarball_reader *who);

/* The writers' side */

/* Readies it for a reader: -ENOMEM. And: after the reader, empties it as feed_new made it. */
int feed_open(struct feed *f);
void feed_reset(struct feed *f);

/* Takes all n bytes at off, unless it fails. Waits for room, and after bytes that may end a tar
 * until the reader has had them; if that is interrupted, sets the rest aside and returns 0.
 * -EALREADY: the first of them was read before. */
int feed_write(struct feed *f, const void *buf, size_t n, uint64_t off,
               const struct tarball_reader *who, struct err *e);

/* Shortens the file, or extends it with a hole. -EALREADY: the reader had the bytes to cut off, or
 * has ended. */
int feed_truncate(struct feed *f, uint64_t size);

/* Gives the reader the rest, with zeros for holes, then the end, and waits until it has ended (0).
 * If the reader says that this is too early, returns its error, and more may be written. */
int feed_finish(struct feed *f, const struct tarball_reader *who, struct err *e);

/* The size: the end of the last byte written, or as set by feed_truncate; how much of it the reader
 * has had or is about to get. */
uint64_t feed_size(const struct feed *f);
uint64_t feed_fed(const struct feed *f);

/* Ends the reading: the reader gets -ECANCELED. */
void feed_cancel(struct feed *f);

/* The reader's side */

/* The next bytes, which stay until the next call: their number, 0 at the end, -ECANCELED. Waits.
 * if_ended is the reader's result if this were the end: 0 or more, or -errno. feed_next and
 * feed_stopped are the calls of a struct tar_input. */
ssize_t feed_next(void *feed, int if_ended, const void **block);

/* -ECANCELED if it was cancelled, else 0. */
int feed_stopped(void *feed);

/* The reader has ended. */
void feed_done(struct feed *f);

#endif
