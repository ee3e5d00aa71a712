/* SPDX-License-Identifier: MIT */
#include "fs/instant.h"

#include "fs/lifetime.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define SHARE_NS (2 * SECOND_NS) /* among callers that look alike */

struct instant {
    struct instants *all;
    uint64_t id;
    struct tarball *tarball;
    int64_t taken_ns; /* when it last equalled the store */
    unsigned refs;
    struct instant *next;
};

struct instant_hold {
    struct caller process;
    int watch;  /* of the process */
    char *name; /* NULL: the process holds it */
    struct instant *of;
    struct lifetime life;
    struct instant_hold *next;
};

struct instants {
    struct instant_source source;
    pthread_mutex_t lock; /* guards what follows, and all that changes in it */
    struct instant *list; /* the newest first */
    struct instant_hold *holds;
    uint64_t next_id;
};

struct instants *instants_new(const struct instant_source *source)
{
    struct instants *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->source = *source;
    return s;
}

static struct instant *instant_ref(struct instant *i)
{
    i->refs++;
    return i;
}

void instant_put(struct instant *i)
{
    struct instants *s = i->all;
    pthread_mutex_lock(&s->lock);
    bool last = --i->refs == 0;
    if (last)
        LL_DELETE(s->list, i);
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    s->source.put(s->source.ctx, i->tarball);
    free(i);
}

uint64_t instant_id(const struct instant *i)
{
    return i->id;
}

struct tarball *instant_tarball(const struct instant *i)
{
    return i->tarball;
}

/* Captures are counted by reference; this changes nothing for their readers. */
struct capture *instant_capture(const struct instant *i)
{
    return capture_ref(tarball_capture(i->tarball));
}

/* Holds */

static void hold_free(struct instant_hold *h)
{
    if (!h)
        return;
    cleanup_close(&h->watch);
    free(h->name);
    free(h);
}

static struct instant_hold *hold_new(const struct instant_holder *who)
{
    autofree struct instant_hold *h = calloc(1, sizeof(*h));
    if (!h || (who->name && !(h->name = strdup(who->name))))
        return NULL;
    h->process = who->process;
    h->watch = caller_watch(&h->process);
    return steal_ptr(&h);
}

static bool hold_is_over(const struct instant_hold *h)
{
    return lifetime_over(&h->life, h->name ? LIFE_NAME : LIFE_PROCESS);
}

/* Whether the hold is this holder's, and a look-up may still get it. Callers that look alike may be
 * many processes: one does not get what another has open. */
static bool hold_is_of(const struct instant_hold *h, const struct instant_holder *who)
{
    if (who->name)
        return h->name && strcmp(h->name, who->name) == 0 && !hold_is_over(h);
    if (h->name || !caller_same(&h->process, &who->process))
        return false;
    return who->process.pid ? !hold_is_over(h) : time_mono_ns() - h->life.used_ns < SHARE_NS;
}

/* Called with the lock. */
static struct instant_hold *hold_find(const struct instants *s, const struct instant_holder *who)
{
    struct instant_hold *h = s->holds;
    while (h && !hold_is_of(h, who))
        h = h->next;
    return h;
}

/* Called with the lock. */
static void hold_add(struct instants *s, struct instant_hold *h, struct instant *i)
{
    h->of = instant_ref(i);
    h->life.used_ns = i->taken_ns;
    LL_PREPEND(s->holds, h);
}

/* Called with the lock. */
static bool hold_too_many(const struct instants *s)
{
    size_t n = 0;
    for (const struct instant_hold *h = s->holds; h; h = h->next)
        n += h->name != NULL;
    return n >= INSTANT_NAMES;
}

static int hold_refuse(struct err *e)
{
    return err_set(e, -EAGAIN, "too many names are held; use one again, or wait ten minutes");
}

enum hold_end {
    HOLD_OVER,
    HOLD_DEAD,     /* its process has ended, and will not ask again */
    HOLD_RESTORED, /* another store lies in the folders */
    HOLD_UNMOUNTED
};

/* Called with the lock. The newest capture survives its process: it serves all while nothing
 * changes. */
static bool hold_ends(const struct instants *s, const struct instant_hold *h, enum hold_end why)
{
    if (why == HOLD_OVER)
        return hold_is_over(h);
    if (why == HOLD_UNMOUNTED)
        return true;
    if (h->name || h->life.open)
        return false;
    return why == HOLD_RESTORED || (h->of != s->list && caller_has_ended(h->watch));
}

static void instant_end_holds(struct instants *s, enum hold_end why)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct instant_hold **p = &s->holds;
        while (*p && !hold_ends(s, *p, why))
            p = &(*p)->next;
        struct instant_hold *h = *p;
        if (h)
            *p = h->next;
        pthread_mutex_unlock(&s->lock);
        if (!h)
            return;
        instant_put(h->of);
        hold_free(h);
    }
}

void instants_expire(struct instants *s)
{
    instant_end_holds(s, HOLD_OVER);
    instant_end_holds(s, HOLD_DEAD);
}

void instants_restored(struct instants *s)
{
    instant_end_holds(s, HOLD_RESTORED);
}

void instants_free(struct instants *s)
{
    if (!s)
        return;
    instant_end_holds(s, HOLD_UNMOUNTED);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The instant of a tarball; takes over the reference, unless there is an instant: then *t stays.
 * Called with the lock. */
static struct instant *instant_of(struct instants *s, struct tarball **t, struct instant **fresh)
{
    struct instant *i;
    LL_SEARCH_SCALAR(s->list, i, tarball, *t);
    if (!i && (i = steal_ptr(fresh))) {
        i->all = s;
        i->id = ++s->next_id;
        i->tarball = steal_ptr(t);
        LL_PREPEND(s->list, i);
    }
    return i;
}

/* Has the holder hold a tarball, which is taken over; if another thread was faster, the holder gets
 * that thread's capture instead. */
static int instant_hold_new(struct instants *s, const struct instant_holder *who, struct tarball *t,
                            struct instant **out, struct err *e)
{
    struct instant *fresh = calloc(1, sizeof(*fresh)), *i = NULL;
    struct instant_hold *hold = hold_new(who);
    int r = fresh && hold ? 0 : -ENOMEM;
    pthread_mutex_lock(&s->lock);
    const struct instant_hold *there = hold_find(s, who);
    if (there) {
        i = there->of;
    } else if (r == 0 && who->name && hold_too_many(s)) {
        r = hold_refuse(e);
    } else if (r == 0) {
        i = instant_of(s, &t, &fresh);
        i->taken_ns = time_mono_ns();
        hold_add(s, steal_ptr(&hold), i);
    }
    if (i)
        *out = instant_ref(i);
    pthread_mutex_unlock(&s->lock);
    free(fresh);
    hold_free(hold);
    if (t)
        s->source.put(s->source.ctx, t);
    return i ? 0 : r;
}

int instant_get(struct instants *s, const struct instant_holder *who,
                const struct tarball_reader *reader, struct instant **out, struct err *e)
{
    struct tarball *t;
    pthread_mutex_lock(&s->lock);
    const struct instant_hold *h = hold_find(s, who);
    if (h)
        *out = instant_ref(h->of);
    bool refused = !h && who->name && hold_too_many(s);
    pthread_mutex_unlock(&s->lock);
    if (h)
        return 0;
    if (refused)
        return hold_refuse(e);
    int r = s->source.take(s->source.ctx, reader, &t, e);
    if (r < 0)
        return r;
    r = instant_hold_new(s, who, t, out, e);
    instant_end_holds(s, HOLD_DEAD);
    return r;
}

bool instants_has(struct instants *s, const struct instant_holder *who)
{
    lock_scope(&s->lock);
    return hold_find(s, who) != NULL;
}

int instant_open(struct instants *s, const struct instant_holder *who, uint64_t id,
                 struct instant_hold **out)
{
    struct instant_hold *fresh = hold_new(who);
    if (!fresh)
        return -ENOMEM;
    pthread_mutex_lock(&s->lock);
    struct instant_hold *h = hold_find(s, who);
    struct instant *i;
    LL_SEARCH_SCALAR(s->list, i, id, id);
    /* Another process may open what a process looked up: by inheriting it, or having it passed
     * on. */
    if ((!h || h->of != i) && i && !who->name) {
        h = steal_ptr(&fresh);
        hold_add(s, h, i);
    }
    bool ok = h && i && h->of == i;
    if (ok)
        h->life.open++;
    pthread_mutex_unlock(&s->lock);
    hold_free(fresh);
    if (!ok)
        return -ESTALE;
    *out = h;
    return 0;
}

void instant_close(struct instant_hold *h)
{
    struct instants *s = h->of->all;
    lock_scope(&s->lock);
    lifetime_close(&h->life);
}

const struct instant *instant_held(const struct instant_hold *h)
{
    return h->of;
}

size_t instants_count(struct instants *s)
{
    const struct instant *i;
    size_t n;
    lock_scope(&s->lock);
    LL_COUNT(s->list, i, n);
    return n;
}

int instants_names(struct instants *s, int (*fn)(void *ctx, const char *name), void *ctx)
{
    int r = 0;
    lock_scope(&s->lock);
    for (const struct instant_hold *h = s->holds; r == 0 && h; h = h->next)
        if (h->name && !hold_is_over(h))
            r = fn(ctx, h->name);
    return r;
}
