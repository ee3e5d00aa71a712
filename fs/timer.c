/* SPDX-License-Identifier: MIT */
#include "fs/timer.h"

#include "fs/backup_sets.h"
#include "fs/dumps.h"
#include "fs/instant.h"
#include "fs/notify.h"
#include "fs/parts.h"
#include "fs/standing.h"
#include "fs/status.h"
#include "fs/uploads.h"
#include "fs/view.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/seen.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_NS (60 * SECOND_NS)
#define AGAIN_NS (50 * MILLISECOND_NS)

struct timer {
    struct fs *fs;
    pthread_t thread, main;
    atomic_bool stop;
    int64_t watch;       /* when influxd is looked for again; monotonic */
    struct err mismatch; /* the last mismatch seen; empty: none */
};

static sem_t wake;
static atomic_bool came; /* a signal that ends the mount, ever */

static void handle(int number)
{
    int saved = errno;
    (void)number;
    atomic_store(&came, true);
    sem_post(&wake);
    errno = saved;
}

/* SIGUSR1 interrupts a system call that a thread waits in. */
static void do_nothing(int number)
{
    (void)number;
}

int timer_catch_signals(void)
{
    static const struct {
        void (*handler)(int);
        int number;
    } all[] = {
        {handle, SIGHUP},   {handle, SIGINT},      {handle, SIGTERM},
        {SIG_IGN, SIGPIPE}, {do_nothing, SIGUSR1},
    };
    if (sem_init(&wake, 0, 0) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct sigaction now, then = {.sa_handler = all[i].handler};
        sigemptyset(&then.sa_mask);
        if (sigaction(all[i].number, NULL, &now) < 0 ||
            (now.sa_handler == SIG_DFL && sigaction(all[i].number, &then, NULL) < 0))
            return -errno;
    }
    return 0;
}

/* Sleeps until a time on the monotonic clock, a signal, or timer_stop. */
static void timer_sleep(int64_t until_ns)
{
    struct timespec until = time_to_spec(until_ns);
    while (sem_clockwait(&wake, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
        continue;
}

/* libfuse's loop sleeps in the main thread, and misses an interruption just before it goes to
 * sleep. */
static void end_the_loop(struct timer *t)
{
    while (!t->stop) {
        fuse_session_exit(t->fs->session);
        pthread_kill(t->main, SIGUSR1);
        int64_t until = time_mono_ns() + AGAIN_NS;
        while (!t->stop && time_mono_ns() < until)
            timer_sleep(until);
    }
}

/* Notes the folders of a running influxd, for a restore while it is down. Logs, once, that they are
 * not the mounted ones. */
static void timer_watch_influxd(struct timer *t)
{
    struct err why = {0};
    if (!t->fs->paths->config || time_mono_ns() < t->watch)
        return;
    t->watch = time_mono_ns() + WATCH_NS;
    if (seen_look(t->fs->paths, t->fs->state, false, &why) < 0 &&
        strcmp(why.text, t->mismatch.text) != 0) {
        counters_error(&t->fs->counters, REPORT_ERROR_OTHER);
        status_failed(t->fs->status, "store", why.text);
    }
    t->mismatch = why;
}

static void tell_standing(struct fs *fs)
{
    struct err line;
    if (!fs->notify)
        return;
    standing_line(fs, &line);
    notify_status(fs->notify, line.text);
}

static void *timer_run(void *arg)
{
    struct timer *t = arg;
    tell_standing(t->fs);
    while (!t->stop && !came) {
        timer_sleep(time_mono_ns() + SECOND_NS);
        if (t->stop || came)
            break;
        instants_expire(t->fs->instants);
        parts_expire(t->fs->parts);
        uploads_expire(t->fs);
        materials_expire(&t->fs->cut_tars);
        views_expire(t->fs);
        dumps_expire(t->fs->dumps);
        backup_sets_expire(t->fs->backups);
        tell_standing(t->fs);
        timer_watch_influxd(t);
    }
    end_the_loop(t);
    return NULL;
}

int timer_start(struct fs *fs, struct timer **out)
{
    autofree struct timer *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->fs = fs;
    t->main = pthread_self();
    t->watch = time_mono_ns() + WATCH_NS; /* the start has just looked */
    int r = -pthread_create(&t->thread, NULL, timer_run, t);
    if (r == 0)
        *out = steal_ptr(&t);
    return r;
}

void timer_stop(struct timer *t)
{
    if (!t)
        return;
    t->stop = true;
    sem_post(&wake);
    pthread_join(t->thread, NULL);
    free(t);
}
