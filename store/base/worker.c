/* SPDX-License-Identifier: MIT */
#include "store/base/worker.h"

#include "store/base/lock.h"

#include <stdatomic.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    worker_step *step;
    void *arg;
    atomic_bool stop; /* set with the lock, so that a thread about to sleep sees it */
    bool ended;
};

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    worker_lock(w);
    while (!w->stop) {
        int64_t at = w->step(w, w->arg);
        if (at == WORKER_END)
            break;
        if (!w->stop && at != WORKER_GO_ON)
            worker_wait_until(w, at);
    }
    w->ended = true;
    worker_wake(w);
    worker_unlock(w);
    return NULL;
}

static void worker_free(struct worker *w)
{
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int worker_start(worker_step *step, void *arg, struct worker **out)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->step = step;
    w->arg = arg;
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->changed);
    *out = w;
    int r = -pthread_create(&w->thread, NULL, worker_run, w);
    if (r < 0) {
        *out = NULL;
        worker_free(w);
    }
    return r;
}

bool worker_stop_until(struct worker *w, int64_t deadline_ns)
{
    worker_lock(w);
    w->stop = true;
    worker_wake(w);
    while (!w->ended && worker_wait_until(w, deadline_ns))
        ;
    bool ended = w->ended;
    worker_unlock(w);
    if (ended) {
        pthread_join(w->thread, NULL);
        worker_free(w);
    } else {
        pthread_detach(w->thread);
    }
    return ended;
}

void worker_stop(struct worker *w)
{
    if (w)
        worker_stop_until(w, WORKER_SLEEP);
}

bool worker_is_stopping(const struct worker *w)
{
    return w->stop;
}

void worker_lock(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
}

void worker_unlock(struct worker *w)
{
    pthread_mutex_unlock(&w->lock);
}

void worker_assert_locked(struct worker *w)
{
    assert_locked(&w->lock);
}

void worker_wake(struct worker *w)
{
    worker_assert_locked(w);
    pthread_cond_broadcast(&w->changed);
}

bool worker_wait_until(struct worker *w, int64_t deadline_ns)
{
    return cond_wait_until(&w->changed, &w->lock, deadline_ns);
}

void worker_wait(struct worker *w)
{
    pthread_cond_wait(&w->changed, &w->lock);
}
