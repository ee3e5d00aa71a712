/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/upload_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_NS 50000000         /* how often a waiter asks whether it was interrupted */
#define LAST_CLOSE_NS 1000000000 /* the kernel tells of a last close a little later */
#define KILLED "its writer was killed"

/* The writers' side; u->lock is held in all that follows up to the public functions */

int upload_refusal(const struct upload *u, struct err *e)
{
    return err_set(e, u->code, "%s", u->why.text);
}

int upload_wait(struct upload *u, const struct tarball_reader *who)
{
    if (!who) {
        pthread_cond_wait(&u->changed, &u->lock);
        return 0;
    }
    if (reader_interrupted(who))
        return -EINTR;
    int64_t until = io_mono_ns() + POLL_NS;
    const struct timespec t = {until / 1000000000, until % 1000000000};
    pthread_cond_timedwait(&u->changed, &u->lock, &t);
    return 0;
}

static int wait_while_installing(struct upload *u, const struct tarball_reader *who)
{
    const unsigned mine = u->attempt; /* others may end it too, and start it over */
    int r = 0;
    while (r == 0 && u->state == INSTALLING && u->attempt == mine)
        r = upload_wait(u, who);
    return r;
}

static void cancel(struct upload *u, int code, const char *why)
{
    u->cancelled = true;
    u->code = code;
    err_set(&u->why, code, "%s", why);
    if (u->state == EMPTY)
        u->state = REFUSED;
    pthread_cond_broadcast(&u->changed);
}

int upload_end(struct upload *u, int code, const char *why, const struct tarball_reader *who)
{
    const unsigned mine = u->attempt;
    int r = wait_while_installing(u, who);
    if (r < 0)
        return r;
    if (u->attempt == mine && !upload_dead(u) && u->state != RESTORED)
        cancel(u, code, why);
    while (r == 0 && u->attempt == mine && u->state == RECEIVING)
        r = upload_wait(u, who);
    if (r == 0 && u->attempt == mine && u->state == VERIFIED) {
        r = upload_give_back(u);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : wait_while_installing(u, who);
}

/* Back to how upload_new made it, but for the writers. */
static int restart(struct upload *u, const struct tarball_reader *who)
{
    const unsigned mine = u->attempt;
    int r = upload_end(u, -ECANCELED, "it was started over", who);
    while (r == 0 && u->attempt == mine && u->users > 0)
        r = upload_wait(u, who);
    if (r < 0 || u->attempt != mine)
        return r; /* somebody else was faster */
    upload_reap(u);
    spool_free(&u->spool);
    u->state = EMPTY;
    u->cancelled = u->eof = u->starving = u->waits = u->killed = false;
    u->code = u->incomplete = 0;
    u->why.text[0] = 0;
    u->size = u->fed = 0;
    u->attempt++;
    pthread_cond_broadcast(&u->changed);
    return 0;
}

void upload_open(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    u->writers++;
    pthread_mutex_unlock(&u->lock);
}

void upload_killed(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    u->killed = true;
    pthread_mutex_unlock(&u->lock);
}

void upload_close(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    const struct err before = u->why;
    bool last = --u->writers == 0 && !upload_dead(u);
    bool begun = last && u->state == RECEIVING;
    const char *why = u->incomplete ? before.text : u->killed ? KILLED : "ends early";
    if (u->incomplete && (begun || (last && u->state == EMPTY)))
        session_ended(u->session, u, u->name, why); /* the flush has told */
    else if (begun)
        session_refused(u->session, u, u->name, why);
    if (begun)
        upload_end(u, u->incomplete ? u->incomplete : u->killed ? -EINTR : -EBADMSG, why, NULL);
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

int upload_rewind(struct upload *u, const struct tarball_reader *who)
{
    const int64_t until = io_mono_ns() + LAST_CLOSE_NS;
    static const struct tarball_reader nobody;
    pthread_mutex_lock(&u->lock);
    int r = 0;
    while (r == 0 && u->state != EMPTY && u->writers > 1 && io_mono_ns() < until)
        r = upload_wait(u, who ? who : &nobody);
    if (r == 0 && u->writers <= 1 && u->state != EMPTY && (u->fed > 0 || u->state != RECEIVING))
        r = restart(u, who);
    pthread_mutex_unlock(&u->lock);
    return r;
}

int upload_truncate(struct upload *u, uint64_t size, const struct tarball_reader *who,
                    struct err *e)
{
    int r = 0;
    if (size > MANIFEST_FILE_MAX)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&u->lock);
    if (size == 0)
        r = restart(u, who);
    else if (upload_dead(u))
        r = upload_refusal(u, e);
    else if (size == u->size)
        r = 0;
    else if (size < u->fed || u->state == VERIFIED || u->state == INSTALLING ||
             u->state == RESTORED)
        r = err_set(e, -EIO, "%s: its size was changed after it was unpacked", u->name);
    else {
        spool_truncate(&u->spool, size);
        u->size = size;
        u->incomplete = 0;
    }
    pthread_mutex_unlock(&u->lock);
    return r;
}

static bool waiting_name(const char *name)
{
    return name[0] == '.' || strstr(name, "/.") != NULL;
}

/* Exchanges what is verified with the store. */
static int install(struct upload *u, const char *name, const struct tarball_reader *who,
                   struct err *e)
{
    free(u->target);
    u->target = strdup(name);
    int r = u->target ? upload_exchange(u) : -ENOMEM;
    if (r < 0)
        return err_sys(e, r, "%s", name);
    r = wait_while_installing(u, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted while it was put in place, which goes on", name);
    return u->state == RESTORED ? 0 : upload_refusal(u, e);
}

/* Waits until the unpacker has taken everything and says what it is worth. */
static int settle(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    while (r == 0 && u->feeding && !upload_dead(u))
        r = upload_wait(u, who);
    if (r == 0 && !upload_dead(u) && u->state == RECEIVING)
        r = upload_feed_holes(u, who, e);
    while (r == 0 && u->state == RECEIVING && !u->cancelled) {
        if (u->starving && u->ring.used == 0 && !u->feeding && !u->eof) {
            if (u->if_ended < 0)
                return u->if_ended;
            u->eof = true;
            pthread_cond_broadcast(&u->changed);
        }
        r = upload_wait(u, who);
    }
    return r;
}

static int pending(struct upload *u, int code, struct err *e)
{
    const struct err before = u->why;
    if (code == -EINVAL)
        err_set(&u->why, code, "%s", u->size ? "not a snapshot" : "empty: not a snapshot");
    else if (code == -EINTR)
        err_set(&u->why, code, KILLED);
    else
        err_set(&u->why, code, "ends early: it is not complete after %llu bytes",
                (unsigned long long)u->size);
    u->incomplete = code;
    if (strcmp(before.text, u->why.text) != 0)
        session_pending(u->session, u, u->name, u->why.text);
    return err_set(e, code, "%s: %s", u->name, u->why.text);
}

static int judge(struct upload *u, bool commit, const struct tarball_reader *who, struct err *e)
{
    int r = wait_while_installing(u, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted", u->name);
    if (!upload_dead(u) && u->state == EMPTY)
        return pending(u, -EINVAL, e);
    if (!upload_dead(u) && u->state == RECEIVING) {
        r = settle(u, who, e);
        if (u->state == RECEIVING && !u->cancelled)
            return pending(u, r, e);
    }
    r = wait_while_installing(u, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted", u->name);
    if (upload_dead(u))
        return upload_refusal(u, e);
    if (u->state == VERIFIED && (commit || !waiting_name(u->name)))
        return install(u, u->name, who, e);
    return 0;
}

static int ask(struct upload *u, bool commit, const struct tarball_reader *who, struct err *e)
{
    pthread_mutex_lock(&u->lock);
    u->users++;
    int r = commit && u->state != VERIFIED && u->state != INSTALLING && u->state != RESTORED &&
                    u->state != REFUSED
                ? err_set(e, -EINVAL, "%s is not verified", u->name)
                : judge(u, commit, who, e);
    u->users--;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return r;
}

int upload_flush(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    return ask(u, false, who, e);
}

int upload_commit(struct upload *u, struct err *e)
{
    return ask(u, true, NULL, e);
}

int upload_rename(struct upload *u, const char *name, const struct tarball_reader *who,
                  struct err *e)
{
    autofree char *copy = strdup(name);
    if (!copy)
        return err_sys(e, -ENOMEM, "%s", name);
    pthread_mutex_lock(&u->lock);
    u->users++;
    int r = wait_while_installing(u, who);
    if (r < 0)
        err_set(e, r, "%s: interrupted", u->name);
    else if (u->state == VERIFIED && !upload_dead(u) && !waiting_name(name))
        r = install(u, name, who, e);
    else if (upload_dead(u) && waiting_name(u->name) && !waiting_name(name))
        r = upload_refusal(u, e);
    if (r == 0) {
        free(u->name);
        u->name = steal_ptr(&copy);
    }
    u->users--;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return r;
}

int upload_new(struct session *r, const char *name, struct upload **out)
{
    struct upload *u = calloc(1, sizeof(*u));
    if (!u)
        return -ENOMEM;
    u->name = strdup(name);
    if (!u->name) {
        free(u);
        return -ENOMEM;
    }
    u->session = r;
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&u->changed, &mono);
    pthread_condattr_destroy(&mono);
    pthread_mutex_init(&u->lock, NULL);
    spool_init(&u->spool);
    *out = u;
    return 0;
}

int upload_abandon(struct upload *u, const char *why, const struct tarball_reader *who)
{
    pthread_mutex_lock(&u->lock);
    if (!upload_dead(u) && (u->state == RECEIVING || u->state == VERIFIED))
        session_refused(u->session, u, u->name, why);
    int r = upload_end(u, -ECANCELED, why, who);
    pthread_mutex_unlock(&u->lock);
    return r;
}

void upload_free(struct upload *u)
{
    if (!u)
        return;
    upload_abandon(u, "it was given up before it was restored", NULL);
    pthread_mutex_lock(&u->lock);
    while (u->users > 0)
        pthread_cond_wait(&u->changed, &u->lock);
    upload_reap(u);
    pthread_mutex_unlock(&u->lock);
    spool_free(&u->spool);
    ring_free(&u->ring);
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    free(u->target);
    free(u->name);
    free(u);
}

uint64_t upload_size(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    uint64_t n = upload_dead(u) ? 0 : u->size;
    pthread_mutex_unlock(&u->lock);
    return n;
}

bool upload_refused(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    bool refused = upload_dead(u);
    pthread_mutex_unlock(&u->lock);
    return refused;
}

bool upload_restored(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    bool done = u->state == RESTORED && !u->waits;
    pthread_mutex_unlock(&u->lock);
    return done;
}
