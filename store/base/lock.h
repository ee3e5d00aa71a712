/* SPDX-License-Identifier: MIT */
/*
 * What pthread's locks and conditions lack: waits that end. Deadlines are times of time_mono_ns().
 * Functions are safe in any thread.
 */
#ifndef INFLUXFS_BASE_LOCK_H
#define INFLUXFS_BASE_LOCK_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A condition for cond_wait_until; the caller destroys it with pthread_cond_destroy. */
void cond_init(pthread_cond_t *c);

/* Waits, with the lock held, until the condition is signalled or the deadline has passed, and then
 * returns false. As with any condition, the caller looks again at what it waits for. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t deadline_ns);

/* Takes the lock, or returns -EINTR without it: interrupted (NULL: never) is asked every 50 ms. */
int lock_unless(pthread_mutex_t *lock, bool (*interrupted)(void *arg), void *arg);

/* For functions that are called with the lock held: that some thread does hold it. */
#define assert_locked(lock) assert(pthread_mutex_trylock(lock) == EBUSY)

#endif
