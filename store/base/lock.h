/* SPDX-License-Identifier: MIT */
/* What pthread lacks: waits with a deadline, a time of time_mono_ns(), and locks for one block.
 * Functions are safe in any thread. */
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

/* Waits, with the lock held, for a signal of the condition. false: the deadline has passed. As with
 * any condition, the caller checks again for the state that it waits for. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t deadline_ns);

/* Takes the lock, or returns -EINTR without it: `interrupted` (NULL: never) is called every 50
 * ms. */
int lock_unless(pthread_mutex_t *lock, bool (*interrupted)(void *arg), void *arg);

/* Takes the lock until the block is left, by any path. */
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

/* For functions that are called with the lock held: checks that some thread holds it. */
#define assert_locked(lock) assert(pthread_mutex_trylock(lock) == EBUSY)

#endif
