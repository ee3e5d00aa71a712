/* SPDX-License-Identifier: MIT */
#include "fs/timer.h"

#include "fs/dumps.h"
#include "fs/instant.h"
#include "fs/signals.h"
#include "fs/status.h"
#include "fs/uploads.h"
#include "fs/view.h"
#include "store/base/time.h"
#include "store/influx/seen.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS ((int64_t)1000000000)
#define WATCH_NS (60 * TICK_NS)
#define AGAIN_NS ((int64_t)50000000)

struct timer {
    struct fs *fs;
    pthread_t thread, main;
    atomic_bool stop;
    int64_t watch;       /* when influxd is looked for again; monotonic */
    struct err mismatch; /* what was seen of it last; empty: nothing wrong */
};

/* libfuse's loop sleeps in the main thread, and misses an interruption that comes just before it
 * goes to sleep. */
static void end_the_loop(struct timer *t)
{
    while (!t->stop) {
        fuse_session_exit(t->fs->session);
        signals_interrupt(t->main);
        int64_t until = time_mono_ns() + AGAIN_NS;
        while (!t->stop && time_mono_ns() < until)
            signals_wait(until);
    }
}

/* While it runs it can be seen which folders it uses, for the restore when it does not. That they
 * are others than those mounted is told when it is new. */
static void watch_influxd(struct timer *t)
{
    struct err why = {0};
    if (!t->fs->paths->config || time_mono_ns() < t->watch)
        return;
    t->watch = time_mono_ns() + WATCH_NS;
    if (seen_look(t->fs->paths, t->fs->state, false, &why) < 0 &&
        strcmp(why.text, t->mismatch.text) != 0)
        status_failed(t->fs->status, "store", why.text);
    t->mismatch = why;
}

static void *timer_run(void *arg)
{
    struct timer *t = arg;
    while (!t->stop && !signals_came()) {
        signals_wait(time_mono_ns() + TICK_NS);
        if (t->stop || signals_came())
            break;
        instants_expire(t->fs->instants);
        uploads_expire(t->fs);
        materials_expire(&t->fs->cut_tars);
        views_expire(t->fs);
        dumps_expire(t->fs->dumps);
        watch_influxd(t);
    }
    end_the_loop(t);
    return NULL;
}

int timer_start(struct fs *fs, struct timer **out)
{
    struct timer *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->fs = fs;
    t->main = pthread_self();
    t->watch = time_mono_ns() + WATCH_NS; /* the start has just looked */
    int r = -pthread_create(&t->thread, NULL, timer_run, t);
    if (r < 0)
        free(t);
    else
        *out = t;
    return r;
}

void timer_stop(struct timer *t)
{
    if (!t)
        return;
    t->stop = true;
    signals_wake();
    pthread_join(t->thread, NULL);
    free(t);
}
