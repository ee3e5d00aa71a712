/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/restore/drop_impl.h"
#include "store/restore/unpack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RING_BYTES (8u << 20)
#define BLOCK_BYTES (1u << 20) /* largest that the unpacker gets at once */
#define LAST_CLOSE_SECONDS 1   /* the kernel tells of a last close a little later */

/* The unpacker's side, in its own thread */

static ssize_t give_block(void *arg, int if_ended, const void **block)
{
    struct drop *d = arg;
    pthread_mutex_lock(&d->lock);
    ring_release(&d->ring);
    d->if_ended = if_ended;
    d->starving = d->ring.used == 0;
    /* Not at every block: a writer that waits is woken when there is room for much. */
    if (d->starving || d->ring.used <= RING_BYTES / 2)
        pthread_cond_broadcast(&d->changed);
    while (d->ring.used == 0 && !d->eof && !d->cancelled)
        pthread_cond_wait(&d->changed, &d->lock);
    d->starving = false;
    ssize_t n = d->cancelled ? -ECANCELED : (ssize_t)ring_lend(&d->ring, BLOCK_BYTES, block);
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* A copy, so that nobody is called with the lock held. */
static char *name_of(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    char *copy = strdup(d->name);
    pthread_mutex_unlock(&d->lock);
    return copy;
}

static int begin(void *arg, const struct manifest *m, struct stage **out, struct err *e)
{
    struct drop *d = arg;
    autofree char *name = name_of(d);
    if (!name)
        return err_sys(e, -ENOMEM, "restore");
    int r = m->kind == MANIFEST_INCREMENTAL ? room_receive(d->room, name, m, &d->in, &d->stage, e)
                                            : room_claim(d->room, d, name, m, &d->stage, e);
    if (r == 0)
        *out = d->stage;
    return r;
}

static void member(void *arg, const char *name, uint64_t size)
{
    struct drop *d = arg;
    room_member(d->room, d, name, size);
}

static void progress(void *arg, uint64_t n)
{
    struct drop *d = arg;
    room_progress(d->room, d, n);
}

/* What was staged is not wanted. */
static void give_back(struct drop *d)
{
    if (d->in)
        room_discard(d->room, steal_ptr(&d->in));
    else
        room_release(d->room, d);
}

static void *unpack_thread(void *arg)
{
    struct drop *d = arg;
    struct err why = {0};
    const struct unpack_io io = {give_block, begin, member, progress, d};
    int r = unpack_run(&io, &why);
    if (r == 0 && d->in)
        r = incoming_seal(d->in, d->stage, &why);
    autofree char *name = name_of(d);
    const char *shown = name ? name : "?";
    stage_free(steal_ptr(&d->stage));
    if (r == 0) {
        room_verified(d->room, d, shown);
    } else {
        /* A cancellation is told by whoever cancels. */
        if (r != -ECANCELED)
            room_refused(d->room, d, shown, why.text);
        give_back(d);
    }
    pthread_mutex_lock(&d->lock);
    ring_free(&d->ring);
    d->state = r == 0 ? VERIFIED : REFUSED;
    if (!d->cancelled) {
        d->code = r;
        d->why = why;
    }
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* The writers' side; d->lock is held in all that follows up to the public functions */

int drop_refusal(const struct drop *d, struct err *e)
{
    return err_set(e, d->code, "%s", d->why.text);
}

void drop_end(struct drop *d, int code, const char *why)
{
    const unsigned mine = d->attempt; /* others may end it too, and start it over */
    while (d->state == INSTALLING && d->attempt == mine)
        pthread_cond_wait(&d->changed, &d->lock);
    if (d->attempt == mine && !drop_dead(d) && d->state != RESTORED) {
        d->cancelled = true;
        d->code = code;
        err_set(&d->why, code, "%s", why);
        if (d->state == EMPTY)
            d->state = REFUSED;
        pthread_cond_broadcast(&d->changed);
    }
    while (d->attempt == mine && (d->state == RECEIVING || d->state == INSTALLING))
        pthread_cond_wait(&d->changed, &d->lock);
    if (d->attempt != mine || d->state != VERIFIED)
        return;
    d->state = INSTALLING;
    pthread_mutex_unlock(&d->lock);
    give_back(d);
    pthread_mutex_lock(&d->lock);
    d->state = REFUSED;
    pthread_cond_broadcast(&d->changed);
}

/* The thread, when the state says that it has ended: it only has to return. */
static void reap(struct drop *d)
{
    if (d->joinable)
        pthread_join(d->thread, NULL);
    d->joinable = false;
}

/* Back to how drop_new made it, but for the writers. */
static void restart(struct drop *d)
{
    const unsigned mine = d->attempt;
    drop_end(d, -ECANCELED, "it was started over");
    while (d->attempt == mine && d->users > 0)
        pthread_cond_wait(&d->changed, &d->lock);
    if (d->attempt != mine)
        return; /* somebody else was faster */
    reap(d);
    spool_free(&d->spool);
    d->state = EMPTY;
    d->cancelled = d->eof = d->starving = d->waits = false;
    d->code = d->incomplete = 0;
    d->why.text[0] = 0;
    d->size = d->fed = 0;
    d->attempt++;
    pthread_cond_broadcast(&d->changed);
}

int drop_start(struct drop *d, struct err *e)
{
    if (d->state != EMPTY)
        return 0;
    int r = ring_init(&d->ring, RING_BYTES);
    if (r == 0)
        r = -pthread_create(&d->thread, NULL, unpack_thread, d);
    if (r < 0)
        return err_sys(e, r, "%s", d->name);
    d->joinable = true;
    d->state = RECEIVING;
    room_receiving(d->room, d, d->name);
    return 0;
}

void drop_open(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    d->writers++;
    pthread_mutex_unlock(&d->lock);
}

void drop_close(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    const struct err why = d->why;
    bool last = --d->writers == 0 && !drop_dead(d);
    bool begun = last && d->state == RECEIVING;
    if (d->incomplete && (begun || (last && d->state == EMPTY)))
        room_ended(d->room, d, d->name, why.text); /* the flush has told */
    else if (begun)
        room_refused(d->room, d, d->name, "ends early");
    if (begun)
        drop_end(d, d->incomplete ? d->incomplete : -EBADMSG,
                 d->incomplete ? why.text : "ends early");
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

void drop_rewind(struct drop *d)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LAST_CLOSE_SECONDS;
    pthread_mutex_lock(&d->lock);
    int r = 0;
    while (r == 0 && d->state != EMPTY && d->writers > 1)
        r = pthread_cond_timedwait(&d->changed, &d->lock, &until);
    if (d->writers <= 1 && d->state != EMPTY && (d->fed > 0 || d->state != RECEIVING))
        restart(d);
    pthread_mutex_unlock(&d->lock);
}

int drop_truncate(struct drop *d, uint64_t size, struct err *e)
{
    int r = 0;
    if (size > MANIFEST_FILE_MAX)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&d->lock);
    if (size == 0)
        restart(d);
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

/* Exchanges what is verified with the store; the lock is not held meanwhile. */
static int install(struct drop *d, const char *name, struct err *e)
{
    struct err why = {0};
    autofree char *copy = strdup(name);
    if (!copy)
        return err_sys(e, -ENOMEM, "%s", name);
    d->state = INSTALLING;
    pthread_mutex_unlock(&d->lock);
    bool waits = false;
    int r = d->in ? room_accept(d->room, d, steal_ptr(&d->in), copy, &waits, &why)
                  : room_install(d->room, d, copy, &why);
    pthread_mutex_lock(&d->lock);
    d->waits = waits;
    d->state = r == 0 ? RESTORED : REFUSED;
    d->code = r;
    d->why = why;
    pthread_cond_broadcast(&d->changed);
    return r == 0 ? 0 : drop_refusal(d, e);
}

/* Waits until the unpacker has taken everything and says what it is worth. */
static int settle(struct drop *d, struct err *e)
{
    while (d->feeding && !drop_dead(d))
        pthread_cond_wait(&d->changed, &d->lock);
    int r = drop_dead(d) || d->state != RECEIVING ? 0 : drop_feed_holes(d, e);
    while (r == 0 && d->state == RECEIVING && !d->cancelled) {
        if (d->starving && d->ring.used == 0 && !d->feeding && !d->eof) {
            if (d->if_ended < 0)
                return d->if_ended;
            d->eof = true;
            pthread_cond_broadcast(&d->changed);
        }
        pthread_cond_wait(&d->changed, &d->lock);
    }
    return r;
}

static int pending(struct drop *d, int code, struct err *e)
{
    const struct err before = d->why;
    if (code == -EINVAL)
        err_set(&d->why, code, "%s", d->size ? "not a snapshot" : "empty: not a snapshot");
    else
        err_set(&d->why, code, "ends early: it is not complete after %llu bytes",
                (unsigned long long)d->size);
    d->incomplete = code;
    if (strcmp(before.text, d->why.text) != 0)
        room_pending(d->room, d, d->name, d->why.text);
    return err_set(e, code, "%s: %s", d->name, d->why.text);
}

static int judge(struct drop *d, bool commit, struct err *e)
{
    while (d->state == INSTALLING)
        pthread_cond_wait(&d->changed, &d->lock);
    if (!drop_dead(d) && d->state == EMPTY)
        return pending(d, -EINVAL, e);
    if (!drop_dead(d) && d->state == RECEIVING) {
        int r = settle(d, e);
        if (d->state == RECEIVING && !d->cancelled)
            return pending(d, r, e);
    }
    while (d->state == INSTALLING)
        pthread_cond_wait(&d->changed, &d->lock);
    if (drop_dead(d))
        return drop_refusal(d, e);
    if (d->state == VERIFIED && (commit || !waiting_name(d->name)))
        return install(d, d->name, e);
    return 0;
}

static int ask(struct drop *d, bool commit, struct err *e)
{
    pthread_mutex_lock(&d->lock);
    d->users++;
    int r = commit && d->state != VERIFIED && d->state != INSTALLING && d->state != RESTORED &&
                    d->state != REFUSED
                ? err_set(e, -EINVAL, "%s is not verified", d->name)
                : judge(d, commit, e);
    d->users--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return r;
}

int drop_flush(struct drop *d, struct err *e)
{
    return ask(d, false, e);
}

int drop_commit(struct drop *d, struct err *e)
{
    return ask(d, true, e);
}

int drop_rename(struct drop *d, const char *name, struct err *e)
{
    autofree char *copy = strdup(name);
    if (!copy)
        return err_sys(e, -ENOMEM, "%s", name);
    pthread_mutex_lock(&d->lock);
    d->users++;
    while (d->state == INSTALLING)
        pthread_cond_wait(&d->changed, &d->lock);
    int r = 0;
    if (d->state == VERIFIED && !drop_dead(d) && !waiting_name(name))
        r = install(d, name, e);
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

int drop_new(struct restore *r, const char *name, struct drop **out)
{
    struct drop *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->name = strdup(name);
    if (!d->name) {
        free(d);
        return -ENOMEM;
    }
    d->room = r;
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

void drop_abandon(struct drop *d, const char *why)
{
    pthread_mutex_lock(&d->lock);
    if (!drop_dead(d) && (d->state == RECEIVING || d->state == VERIFIED))
        room_refused(d->room, d, d->name, why);
    drop_end(d, -ECANCELED, why);
    pthread_mutex_unlock(&d->lock);
}

void drop_free(struct drop *d)
{
    if (!d)
        return;
    drop_abandon(d, "it was given up before it was restored");
    pthread_mutex_lock(&d->lock);
    while (d->users > 0)
        pthread_cond_wait(&d->changed, &d->lock);
    reap(d);
    pthread_mutex_unlock(&d->lock);
    spool_free(&d->spool);
    ring_free(&d->ring);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
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
