/* SPDX-License-Identifier: MIT */
/*
 * What pthread lacks: waits that end, and locks of a block. Deadlines are times of time_mono_ns().
 * Functions are safe in any thread.
 */
#ifndef INFLUXFS_BASE_LOCK_H
#define INFLUXFS_BASE_LOCK_H

#include "store/base/cleanup.h"

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

/* Takes the lock until the end of the block, however that is left. */
#define lock_scope(lock)                                                                           \
    cleanup(lock_leave) __attribute__((unused)) pthread_mutex_t *lock_scope_ = lock_enter(lock)

static inline pthread_mutex_t *lock_enter(pthread_mutex_t *lock)
{
    pthread_mutex_lock(lock);
    return lock;
}

static inline void lock_leave(pthread_mutex_t **lock)
{
    pthread_mutex_unlock(*lock);
}

/* For functions that are called with the lock held: that some thread does hold it. */
#define assert_locked(lock) assert(pthread_mutex_trylock(lock) == EBUSY)

#endif
