/* SPDX-License-Identifier: MIT */
/* What an upload has done by a thread of its own: unpacking, and what comes of what was verified. */
#include "store/base/cleanup.h"
#include "store/restore/unpack.h"
#include "store/restore/upload_impl.h"

#include <errno.h>
#include <string.h>

#define RING_BYTES (8u << 20)
#define BLOCK_BYTES (1u << 20) /* largest that the unpacker gets at once */

static ssize_t give_block(void *arg, int if_ended, const void **block)
{
    struct upload *u = arg;
    pthread_mutex_lock(&u->lock);
    ring_release(&u->ring);
    u->if_ended = if_ended;
    u->starving = u->ring.used == 0;
    /* Not at every block: a writer that waits is woken when there is room for much. */
    if (u->starving || u->ring.used <= RING_BYTES / 2)
        pthread_cond_broadcast(&u->changed);
    while (u->ring.used == 0 && !u->eof && !u->cancelled)
        pthread_cond_wait(&u->changed, &u->lock);
    u->starving = false;
    ssize_t n = u->cancelled ? -ECANCELED : (ssize_t)ring_lend(&u->ring, BLOCK_BYTES, block);
    pthread_mutex_unlock(&u->lock);
    return n;
}

static int stop(void *arg)
{
    struct upload *u = arg;
    pthread_mutex_lock(&u->lock);
    int r = u->cancelled ? -ECANCELED : 0;
    pthread_mutex_unlock(&u->lock);
    return r;
}

/* A copy, so that nobody is called with the lock held. */
static char *name_of(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    char *copy = strdup(u->name);
    pthread_mutex_unlock(&u->lock);
    return copy;
}

static int begin(void *arg, const struct manifest *m, struct stage **out, struct err *e)
{
    struct upload *u = arg;
    autofree char *name = name_of(u);
    if (!name)
        return err_sys(e, -ENOMEM, "restore");
    int r = m->kind == MANIFEST_INCREMENTAL
                ? session_receive(u->session, name, m, &u->in, &u->stage, e)
                : session_claim(u->session, u, name, m, &u->stage, e);
    if (r == 0)
        *out = u->stage;
    return r;
}

static void member(void *arg, const char *name, uint64_t size)
{
    struct upload *u = arg;
    session_member(u->session, u, name, size);
}

static void progress(void *arg, uint64_t n)
{
    struct upload *u = arg;
    session_progress(u->session, u, n);
}

/* What was staged is not wanted. */
static void give_back(struct upload *u)
{
    if (u->in)
        session_discard(u->session, steal_ptr(&u->in));
    else
        session_release(u->session, u);
}

/* The thread's last step: r is what came of it. Whoever cancels need not wait for the end. */
static void conclude(struct upload *u, int r, const struct err *why)
{
    pthread_mutex_lock(&u->lock);
    if (r == 0 && u->cancelled) {
        pthread_mutex_unlock(&u->lock);
        give_back(u);
        pthread_mutex_lock(&u->lock);
        r = -ECANCELED;
    }
    ring_free(&u->ring);
    u->state = r == 0 ? VERIFIED : REFUSED;
    if (!u->cancelled) {
        u->code = r;
        u->why = *why;
    }
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

static void *unpack_thread(void *arg)
{
    struct upload *u = arg;
    struct err why = {0};
    const struct unpack_io io = {give_block, begin, member, progress, stop, u};
    int r = unpack_run(&io, &why);
    if (r == 0 && u->in)
        r = incoming_seal(u->in, u->stage, &why);
    if (r == 0)
        r = stop(u);
    autofree char *name = name_of(u);
    const char *shown = name ? name : "?";
    stage_free(steal_ptr(&u->stage));
    if (r == 0) {
        session_verified(u->session, u, shown);
    } else {
        /* A cancellation is told by whoever cancels. */
        if (r != -ECANCELED)
            session_refused(u->session, u, shown, why.text);
        give_back(u);
    }
    conclude(u, r, &why);
    return NULL;
}

/* Exchanges what is verified with the store, in a thread of its own: it goes on whatever becomes of
 * the one who asked for it. */
static void *install_thread(void *arg)
{
    struct upload *u = arg;
    struct err why = {0};
    bool waits = false;
    autofree char *name = steal_ptr(&u->target);
    int r = u->in ? session_accept(u->session, u, steal_ptr(&u->in), name, &waits, &why)
                  : session_install(u->session, u, name, &why);
    pthread_mutex_lock(&u->lock);
    u->waits = waits;
    u->state = r == 0 ? RESTORED : REFUSED;
    u->code = r;
    u->why = why;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

static void *give_back_thread(void *arg)
{
    struct upload *u = arg;
    give_back(u);
    pthread_mutex_lock(&u->lock);
    u->state = REFUSED;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

/* The writers' side; u->lock is held in all that follows */

/* The thread, when the state says that it has ended: it only has to return. */
void upload_reap(struct upload *u)
{
    if (u->joinable)
        pthread_join(u->thread, NULL);
    u->joinable = false;
}

/* From VERIFIED to INSTALLING, and on to what the thread makes of it. */
static int hand_over(struct upload *u, void *(*thread)(void *))
{
    upload_reap(u);
    int r = -pthread_create(&u->thread, NULL, thread, u);
    u->joinable = r == 0;
    if (r == 0)
        u->state = INSTALLING;
    return r;
}

int upload_start(struct upload *u, struct err *e)
{
    if (u->state != EMPTY)
        return 0;
    int r = ring_init(&u->ring, RING_BYTES);
    if (r == 0)
        r = -pthread_create(&u->thread, NULL, unpack_thread, u);
    if (r < 0)
        return err_sys(e, r, "%s", u->name);
    u->joinable = true;
    u->state = RECEIVING;
    session_receiving(u->session, u, u->name);
    return 0;
}

int upload_exchange(struct upload *u)
{
    return hand_over(u, install_thread);
}

int upload_give_back(struct upload *u)
{
    return hand_over(u, give_back_thread);
}
