/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/drop_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_NS 50000000         /* how often a waiter asks whether it was interrupted */
#define LAST_CLOSE_NS 1000000000 /* the kernel tells of a last close a little later */
#define KILLED "its writer was killed"

/* The writers' side; d->lock is held in all that follows up to the public functions */

int drop_refusal(const struct drop *d, struct err *e)
{
    return err_set(e, d->code, "%s", d->why.text);
}

int drop_wait(struct drop *d, const struct tarball_reader *who)
{
    if (!who) {
        pthread_cond_wait(&d->changed, &d->lock);
        return 0;
    }
    if (reader_interrupted(who))
        return -EINTR;
    int64_t until = io_mono_ns() + POLL_NS;
    const struct timespec t = {until / 1000000000, until % 1000000000};
    pthread_cond_timedwait(&d->changed, &d->lock, &t);
    return 0;
}

static int wait_while_installing(struct drop *d, const struct tarball_reader *who)
{
    const unsigned mine = d->attempt; /* others may end it too, and start it over */
    int r = 0;
    while (r == 0 && d->state == INSTALLING && d->attempt == mine)
        r = drop_wait(d, who);
    return r;
}

static void cancel(struct drop *d, int code, const char *why)
{
    d->cancelled = true;
    d->code = code;
    err_set(&d->why, code, "%s", why);
    if (d->state == EMPTY)
        d->state = REFUSED;
    pthread_cond_broadcast(&d->changed);
}

int drop_end(struct drop *d, int code, const char *why, const struct tarball_reader *who)
{
    const unsigned mine = d->attempt;
    int r = wait_while_installing(d, who);
    if (r < 0)
        return r;
    if (d->attempt == mine && !drop_dead(d) && d->state != RESTORED)
        cancel(d, code, why);
    while (r == 0 && d->attempt == mine && d->state == RECEIVING)
        r = drop_wait(d, who);
    if (r == 0 && d->attempt == mine && d->state == VERIFIED) {
        r = drop_give_back(d);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : wait_while_installing(d, who);
}

/* Back to how drop_new made it, but for the writers. */
static int restart(struct drop *d, const struct tarball_reader *who)
{
    const unsigned mine = d->attempt;
    int r = drop_end(d, -ECANCELED, "it was started over", who);
    while (r == 0 && d->attempt == mine && d->users > 0)
        r = drop_wait(d, who);
    if (r < 0 || d->attempt != mine)
        return r; /* somebody else was faster */
    drop_reap(d);
    spool_free(&d->spool);
    d->state = EMPTY;
    d->cancelled = d->eof = d->starving = d->waits = d->killed = false;
    d->code = d->incomplete = 0;
    d->why.text[0] = 0;
    d->size = d->fed = 0;
    d->attempt++;
    pthread_cond_broadcast(&d->changed);
    return 0;
}

void drop_open(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    d->writers++;
    pthread_mutex_unlock(&d->lock);
}

void drop_killed(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    d->killed = true;
    pthread_mutex_unlock(&d->lock);
}

void drop_close(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    const struct err before = d->why;
    bool last = --d->writers == 0 && !drop_dead(d);
    bool begun = last && d->state == RECEIVING;
    const char *why = d->incomplete ? before.text : d->killed ? KILLED : "ends early";
    if (d->incomplete && (begun || (last && d->state == EMPTY)))
        session_ended(d->session, d, d->name, why); /* the flush has told */
    else if (begun)
        session_refused(d->session, d, d->name, why);
    if (begun)
        drop_end(d, d->incomplete ? d->incomplete : d->killed ? -EINTR : -EBADMSG, why, NULL);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

int drop_rewind(struct drop *d, const struct tarball_reader *who)
{
    const int64_t until = io_mono_ns() + LAST_CLOSE_NS;
    static const struct tarball_reader nobody;
    pthread_mutex_lock(&d->lock);
    int r = 0;
    while (r == 0 && d->state != EMPTY && d->writers > 1 && io_mono_ns() < until)
        r = drop_wait(d, who ? who : &nobody);
    if (r == 0 && d->writers <= 1 && d->state != EMPTY && (d->fed > 0 || d->state != RECEIVING))
        r = restart(d, who);
    pthread_mutex_unlock(&d->lock);
    return r;
}

int drop_truncate(struct drop *d, uint64_t size, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    if (size > MANIFEST_FILE_MAX)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&d->lock);
    if (size == 0)
        r = restart(d, who);
    else if (drop_dead(d))
        r = drop_refusal(d, e);
    else if (size == d->size)
        r = 0;
    else if (size < d->fed || d->state == VERIFIED || d->state == INSTALLING ||
             d->state == RESTORED)
        r = err_set(e, -EIO, "%s: its size was changed after it was unpacked", d->name);
    else {
        spool_truncate(&d->spool, size);
        d->size = size;
        d->incomplete = 0;
    }
    pthread_mutex_unlock(&d->lock);
    return r;
}

static bool waiting_name(const char *name)
{
    return name[0] == '.' || strstr(name, "/.") != NULL;
}

/* Exchanges what is verified with the store. */
static int install(struct drop *d, const char *name, const struct tarball_reader *who,
                   struct err *e)
{
    free(d->target);
    d->target = strdup(name);
    int r = d->target ? drop_exchange(d) : -ENOMEM;
    if (r < 0)
        return err_sys(e, r, "%s", name);
    r = wait_while_installing(d, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted while it was put in place, which goes on", name);
    return d->state == RESTORED ? 0 : drop_refusal(d, e);
}

/* Waits until the unpacker has taken everything and says what it is worth. */
static int settle(struct drop *d, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    while (r == 0 && d->feeding && !drop_dead(d))
        r = drop_wait(d, who);
    if (r == 0 && !drop_dead(d) && d->state == RECEIVING)
        r = drop_feed_holes(d, who, e);
    while (r == 0 && d->state == RECEIVING && !d->cancelled) {
        if (d->starving && d->ring.used == 0 && !d->feeding && !d->eof) {
            if (d->if_ended < 0)
                return d->if_ended;
            d->eof = true;
            pthread_cond_broadcast(&d->changed);
        }
        r = drop_wait(d, who);
    }
    return r;
}

static int pending(struct drop *d, int code, struct err *e)
{
    const struct err before = d->why;
    if (code == -EINVAL)
        err_set(&d->why, code, "%s", d->size ? "not a snapshot" : "empty: not a snapshot");
    else if (code == -EINTR)
        err_set(&d->why, code, KILLED);
    else
        err_set(&d->why, code, "ends early: it is not complete after %llu bytes",
                (unsigned long long)d->size);
    d->incomplete = code;
    if (strcmp(before.text, d->why.text) != 0)
        session_pending(d->session, d, d->name, d->why.text);
    return err_set(e, code, "%s: %s", d->name, d->why.text);
}

static int judge(struct drop *d, bool commit, const struct tarball_reader *who, struct err *e)
{
    int r = wait_while_installing(d, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted", d->name);
    if (!drop_dead(d) && d->state == EMPTY)
        return pending(d, -EINVAL, e);
    if (!drop_dead(d) && d->state == RECEIVING) {
        r = settle(d, who, e);
        if (d->state == RECEIVING && !d->cancelled)
            return pending(d, r, e);
    }
    r = wait_while_installing(d, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted", d->name);
    if (drop_dead(d))
        return drop_refusal(d, e);
    if (d->state == VERIFIED && (commit || !waiting_name(d->name)))
        return install(d, d->name, who, e);
    return 0;
}

static int ask(struct drop *d, bool commit, const struct tarball_reader *who, struct err *e)
{
    pthread_mutex_lock(&d->lock);
    d->users++;
    int r = commit && d->state != VERIFIED && d->state != INSTALLING && d->state != RESTORED &&
                    d->state != REFUSED
                ? err_set(e, -EINVAL, "%s is not verified", d->name)
                : judge(d, commit, who, e);
    d->users--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return r;
}

int drop_flush(struct drop *d, const struct tarball_reader *who, struct err *e)
{
    return ask(d, false, who, e);
}

int drop_commit(struct drop *d, struct err *e)
{
    return ask(d, true, NULL, e);
}

int drop_rename(struct drop *d, const char *name, const struct tarball_reader *who, struct err *e)
{
    autofree char *copy = strdup(name);
    if (!copy)
        return err_sys(e, -ENOMEM, "%s", name);
    pthread_mutex_lock(&d->lock);
    d->users++;
    int r = wait_while_installing(d, who);
    if (r < 0)
        err_set(e, r, "%s: interrupted", d->name);
    else if (d->state == VERIFIED && !drop_dead(d) && !waiting_name(name))
        r = install(d, name, who, e);
    else if (drop_dead(d) && waiting_name(d->name) && !waiting_name(name))
        r = drop_refusal(d, e);
    if (r == 0) {
        free(d->name);
        d->name = steal_ptr(&copy);
    }
    d->users--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return r;
}

int drop_new(struct session *r, const char *name, struct drop **out)
{
    struct drop *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->name = strdup(name);
    if (!d->name) {
        free(d);
        return -ENOMEM;
    }
    d->session = r;
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &mono);
    pthread_condattr_destroy(&mono);
    pthread_mutex_init(&d->lock, NULL);
    spool_init(&d->spool);
    *out = d;
    return 0;
}

int drop_abandon(struct drop *d, const char *why, const struct tarball_reader *who)
{
    pthread_mutex_lock(&d->lock);
    if (!drop_dead(d) && (d->state == RECEIVING || d->state == VERIFIED))
        session_refused(d->session, d, d->name, why);
    int r = drop_end(d, -ECANCELED, why, who);
    pthread_mutex_unlock(&d->lock);
    return r;
}

void drop_free(struct drop *d)
{
    if (!d)
        return;
    drop_abandon(d, "it was given up before it was restored", NULL);
    pthread_mutex_lock(&d->lock);
    while (d->users > 0)
        pthread_cond_wait(&d->changed, &d->lock);
    drop_reap(d);
    pthread_mutex_unlock(&d->lock);
    spool_free(&d->spool);
    ring_free(&d->ring);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d->target);
    free(d->name);
    free(d);
}

uint64_t drop_size(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t n = drop_dead(d) ? 0 : d->size;
    pthread_mutex_unlock(&d->lock);
    return n;
}

bool drop_refused(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    bool refused = drop_dead(d);
    pthread_mutex_unlock(&d->lock);
    return refused;
}

bool drop_restored(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    bool done = d->state == RESTORED && !d->waits;
    pthread_mutex_unlock(&d->lock);
    return done;
}
