/* SPDX-License-Identifier: MIT */
#include "fs/timer.h"

#include "fs/ahead.h"
#include "fs/cutfile.h"
#include "fs/drops.h"
#include "fs/now.h"
#include "fs/view.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define SECOND ((int64_t)1000000000)
#define REQUEST_BYTES (AHEAD_BYTES + 4096) /* the largest: a write with its header */

struct timer {
    struct fs *fs;
    pthread_t thread, main;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, ended;
};

static void *run(void *arg)
{
    struct timer *t = arg;
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        int64_t at = io_mono_ns() + SECOND;
        struct timespec until = {at / SECOND, at % SECOND};
        pthread_cond_timedwait(&t->wake, &t->lock, &until);
        if (t->stop)
            break;
        pthread_mutex_unlock(&t->lock);
        /* libfuse's loop misses a signal that comes just before it goes to sleep; its handler is
         * there until this thread has been stopped. */
        if (fuse_session_exited(t->fs->session))
            pthread_kill(t->main, SIGTERM);
        now_expire(t->fs->now);
        drops_expire(t->fs);
        cutfiles_expire(t->fs->cutfiles);
        views_expire(t->fs);
        pthread_mutex_lock(&t->lock);
    }
    t->ended = true;
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int timer_start(struct fs *fs, struct timer **out)
{
    struct timer *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, &mono);
    pthread_condattr_destroy(&mono);
    t->fs = fs;
    t->main = pthread_self();
    int r = -pthread_create(&t->thread, NULL, run, t);
    if (r < 0)
        free(t);
    else
        *out = t;
    return r;
}

/* libfuse's own function would drop the request, since the session has exited. */
static void answer_one(struct fuse_session *session, void *mem, size_t size, int wait_ms)
{
    struct pollfd p = {.fd = fuse_session_fd(session), .events = POLLIN};
    struct timespec nap = {0, 1000000};
    int r = poll(&p, 1, wait_ms);
    ssize_t n = r > 0 && (p.revents & POLLIN) && mem ? read(p.fd, mem, size) : 0;
    if (n > 0) {
        struct fuse_buf buf = {.mem = mem, .size = (size_t)n};
        fuse_session_process_buf(session, &buf);
    } else if (r > 0) {
        nanosleep(&nap, NULL); /* the mount is gone: nobody waits for an answer */
    }
}

static bool has_ended(struct timer *t)
{
    pthread_mutex_lock(&t->lock);
    bool ended = t->ended;
    pthread_mutex_unlock(&t->lock);
    return ended;
}

void timer_stop(struct timer *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    autofree void *mem = malloc(REQUEST_BYTES);
    while (!has_ended(t))
        answer_one(t->fs->session, mem, REQUEST_BYTES, 5);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
