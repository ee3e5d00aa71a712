/* SPDX-License-Identifier: MIT */
/*
 * A thread that works for others, with the lock that guards what they share with it.
 *
 * The thread calls its step again and again until it is stopped, and sleeps in between for as long
 * as the step says, or until it is woken. Deadlines are times of time_mono_ns().
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
 *       worker_wake(w);                      whoever waits for the job
 *       return WORKER_GO_ON;
 *   }
 */
#ifndef INFLUXFS_BASE_WORKER_H
#define INFLUXFS_BASE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Does one piece of work. Called with the lock, and returns with it, but may release it meanwhile.
 * Returns when it is to be called again at the latest. */
typedef int64_t worker_step(struct worker *w, void *arg);

#define WORKER_GO_ON INT64_MIN /* at once */
#define WORKER_SLEEP INT64_MAX /* when it is woken */

/* Starts the thread. *out is set before the first step, so that step can use it, and is NULL again
 * after an error (-errno). */
int worker_start(worker_step *step, void *arg, struct worker **out);

/* Lets the step that runs end, joins the thread and frees the worker, without the lock. NULL: does
 * nothing. */
void worker_stop(struct worker *w);

/* The same until a deadline: if false, the step still runs (it hangs in a disk). The thread is then
 * detached, and neither the worker nor what step uses may ever be freed. */
bool worker_stop_until(struct worker *w, int64_t deadline_ns);

/* Whether it is being stopped: for a long step, with or without the lock. */
bool worker_is_stopping(const struct worker *w);

void worker_lock(struct worker *w);
void worker_unlock(struct worker *w);
void worker_assert_locked(struct worker *w);

/* Something that the lock guards has changed: wakes the thread and all who wait. With the lock. */
void worker_wake(struct worker *w);

/* Waits with the lock, for worker_wake or until the deadline has passed (then false). The caller
 * looks again at what it waits for. */
bool worker_wait_until(struct worker *w, int64_t deadline_ns);
void worker_wait(struct worker *w);

#endif
