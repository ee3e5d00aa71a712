/* SPDX-License-Identifier: MIT */
/* What a drop has done by a thread of its own: unpacking, and what comes of what was verified. */
#include "store/base/cleanup.h"
#include "store/restore/drop_impl.h"
#include "store/restore/unpack.h"

#include <errno.h>
#include <string.h>

#define RING_BYTES (8u << 20)
#define BLOCK_BYTES (1u << 20) /* largest that the unpacker gets at once */

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

static int stop(void *arg)
{
    struct drop *d = arg;
    pthread_mutex_lock(&d->lock);
    int r = d->cancelled ? -ECANCELED : 0;
    pthread_mutex_unlock(&d->lock);
    return r;
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
    int r = m->kind == MANIFEST_INCREMENTAL
                ? session_receive(d->session, name, m, &d->in, &d->stage, e)
                : session_claim(d->session, d, name, m, &d->stage, e);
    if (r == 0)
        *out = d->stage;
    return r;
}

static void member(void *arg, const char *name, uint64_t size)
{
    struct drop *d = arg;
    session_member(d->session, d, name, size);
}

static void progress(void *arg, uint64_t n)
{
    struct drop *d = arg;
    session_progress(d->session, d, n);
}

/* What was staged is not wanted. */
static void give_back(struct drop *d)
{
    if (d->in)
        session_discard(d->session, steal_ptr(&d->in));
    else
        session_release(d->session, d);
}

/* The thread's last step: r is what came of it. Whoever cancels need not wait for the end. */
static void conclude(struct drop *d, int r, const struct err *why)
{
    pthread_mutex_lock(&d->lock);
    if (r == 0 && d->cancelled) {
        pthread_mutex_unlock(&d->lock);
        give_back(d);
        pthread_mutex_lock(&d->lock);
        r = -ECANCELED;
    }
    ring_free(&d->ring);
    d->state = r == 0 ? VERIFIED : REFUSED;
    if (!d->cancelled) {
        d->code = r;
        d->why = *why;
    }
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void *unpack_thread(void *arg)
{
    struct drop *d = arg;
    struct err why = {0};
    const struct unpack_io io = {give_block, begin, member, progress, stop, d};
    int r = unpack_run(&io, &why);
    if (r == 0 && d->in)
        r = incoming_seal(d->in, d->stage, &why);
    if (r == 0)
        r = stop(d);
    autofree char *name = name_of(d);
    const char *shown = name ? name : "?";
    stage_free(steal_ptr(&d->stage));
    if (r == 0) {
        session_verified(d->session, d, shown);
    } else {
        /* A cancellation is told by whoever cancels. */
        if (r != -ECANCELED)
            session_refused(d->session, d, shown, why.text);
        give_back(d);
    }
    conclude(d, r, &why);
    return NULL;
}

/* Exchanges what is verified with the store, in a thread of its own: it goes on whatever becomes of
 * the one who asked for it. */
static void *install_thread(void *arg)
{
    struct drop *d = arg;
    struct err why = {0};
    bool waits = false;
    autofree char *name = steal_ptr(&d->target);
    int r = d->in ? session_accept(d->session, d, steal_ptr(&d->in), name, &waits, &why)
                  : session_install(d->session, d, name, &why);
    pthread_mutex_lock(&d->lock);
    d->waits = waits;
    d->state = r == 0 ? RESTORED : REFUSED;
    d->code = r;
    d->why = why;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void *give_back_thread(void *arg)
{
    struct drop *d = arg;
    give_back(d);
    pthread_mutex_lock(&d->lock);
    d->state = REFUSED;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* The writers' side; d->lock is held in all that follows */

/* The thread, when the state says that it has ended: it only has to return. */
void drop_reap(struct drop *d)
{
    if (d->joinable)
        pthread_join(d->thread, NULL);
    d->joinable = false;
}

/* From VERIFIED to INSTALLING, and on to what the thread makes of it. */
static int hand_over(struct drop *d, void *(*thread)(void *))
{
    drop_reap(d);
    int r = -pthread_create(&d->thread, NULL, thread, d);
    d->joinable = r == 0;
    if (r == 0)
        d->state = INSTALLING;
    return r;
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
    session_receiving(d->session, d, d->name);
    return 0;
}

int drop_exchange(struct drop *d)
{
    return hand_over(d, install_thread);
}

int drop_give_back(struct drop *d)
{
    return hand_over(d, give_back_thread);
}
