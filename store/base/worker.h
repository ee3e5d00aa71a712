/* SPDX-License-Identifier: MIT */
/*
 * A background thread, with the lock that guards the data it shares.
 *
 * The thread calls its step repeatedly until it is stopped. Between calls it sleeps for as long as
 * the step says, or until it is woken. Deadlines are times of time_mono_ns().
 *
 *   static int64_t hash_step(struct worker *w, void *arg)
 *   {
 *       struct hasher *h = arg;
 *       struct job *j = h->first;
 *       if (!j)
 *           return WORKER_SLEEP;
 *       worker_unlock(w);
 *       …                                    long work
 *       worker_lock(w);
 *       h->first = j->next;
 *       worker_wake(w);                      for threads that wait for the job
 *       return WORKER_GO_ON;
 *   }
 */
#ifndef INFLUXFS_BASE_WORKER_H
#define INFLUXFS_BASE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Does one piece of work. Called with the lock and returns with it, but may release it meanwhile.
 * Returns the latest time for its next call. */
typedef int64_t worker_step(struct worker *w, void *arg);

#define WORKER_GO_ON INT64_MIN     /* at once */
#define WORKER_SLEEP INT64_MAX     /* when it is woken */
#define WORKER_END (INT64_MIN + 1) /* never: the thread ends. The worker is still to be stopped */

/* Starts the thread. *out is set before the first step, so that the step can use it. *out is NULL
 * after an error (-errno). */
int worker_start(worker_step *step, void *arg, struct worker **out);

/* Lets the current step end, joins the thread and frees the worker. Call without the lock. NULL is
 * allowed. */
void worker_stop(struct worker *w);

/* The same until a deadline. false: the step still runs (it hangs in a disk); the thread is then
 * detached, and neither the worker nor the data of the step may ever be freed. */
bool worker_stop_until(struct worker *w, int64_t deadline_ns);

/* Whether it is being stopped: for a long step, with or without the lock. */
bool worker_is_stopping(const struct worker *w);

void worker_lock(struct worker *w);
void worker_unlock(struct worker *w);
void worker_assert_locked(struct worker *w);

/* Wakes the thread and all waiters, after data under the lock has changed. With the lock. */
void worker_wake(struct worker *w);

/* Waits, with the lock, for worker_wake; false: the deadline has passed. The caller checks again
 * for the state that it waits for. */
bool worker_wait_until(struct worker *w, int64_t deadline_ns);
void worker_wait(struct worker *w);

#endif
