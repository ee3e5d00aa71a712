/* SPDX-License-Identifier: MIT */
#include "fs/making.h"

#include "store/base/time.h"
#include "store/base/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* A piece that is made at once, and then is there to be read. */
#define PIECE ((size_t)64 << 10)
#define ASK_NS (50 * MILLISECOND_NS)

/* How long a making is held up for readers: at first in all, and for one who takes nothing. A reader who
 * only has to get his turn is quicker even on a busy machine. */
#define HOLD_NS SECOND_NS
#define IDLE_NS (250 * MILLISECOND_NS)

struct making {
    const struct generated *g;
    struct schema_cache *contents;
    struct tarball_reader stopping; /* of the text: whether the thread is to end */
    struct generated_text text;     /* the thread's, as is what lies in the window after `at` */
    struct worker *thread;          /* guards what follows */
    char *window;                   /* the byte at i is at i % size */
    size_t size;
    uint64_t from, at; /* what is in the window */
    uint64_t wanted;   /* is made up to here */
    struct making_reader *readers;
    int64_t used_ns, began_ns;
    int64_t held_ns;  /* how long it has been held up for readers, */
    int64_t holds_ns; /* and since when it is now; 0: it is not */
    int failed;       /* -errno */
    struct err why;
};

static bool making_is_stopping(void *ctx)
{
    const struct making *m = ctx;
    return worker_is_stopping(m->thread);
}

static int making_fail(struct making *m, int r, const struct err *e)
{
    m->failed = r;
    m->why = *e;
    worker_wake(m->thread);
    return r;
}

/* What the text is now is not what its size was found of. */
static int making_differs(const struct making *m, const char *how, struct err *e)
{
    generated_text_failed(m->g, &m->text);
    return err_set(e, -EIO, "the text is %s than it was", how);
}

/* Makes up to n bytes to p, beginning with the text at first; *n: how many. */
static int making_make(struct making *m, char *p, size_t *n, struct err *e)
{
    ssize_t got = generated_text_next(m->g, m->contents, &m->stopping, &m->text, p, *n, e);
    if (got == 0)
        got = making_differs(m, "shorter", e);
    if (got < 0)
        return (int)got;
    *n = (size_t)got;
    if (m->text.at < m->g->size)
        return 0;
    char more;
    got = generated_text_next(m->g, m->contents, &m->stopping, &m->text, &more, 1, e);
    if (got > 0)
        got = making_differs(m, "longer", e);
    if (got == 0) /* its memory is not wanted any more */
        generated_text_clear(m->g, &m->text);
    return (int)got;
}

/* How long to wait for the readers who would lose their place if the window began here: until the last
 * of them has been idle for too long. WORKER_SLEEP: one is just taking its bytes. */
static int64_t making_readers_until(const struct making *m, uint64_t from)
{
    int64_t until = 0;
    const struct making_reader *r;
    DL_FOREACH(m->readers, r)
    {
        if (r->at >= m->from && r->at < from)
            until = time_later(until, r->waits ? WORKER_SLEEP : r->used_ns + IDLE_NS);
    }
    return until;
}

/* Until when to wait before the window can begin here; WORKER_GO_ON: no longer. */
static int64_t making_hold(struct making *m, uint64_t from)
{
    int64_t now = time_mono_ns(), until = making_readers_until(m, from);
    int64_t may = HOLD_NS + (now - m->began_ns) / 4 - m->held_ns;
    if (until == WORKER_SLEEP)
        return until;
    if (until > now && !m->holds_ns)
        m->holds_ns = now;
    if (m->holds_ns && until > m->holds_ns + may)
        until = m->holds_ns + may;
    if (until > now)
        return until;
    if (m->holds_ns)
        m->held_ns += now - m->holds_ns;
    m->holds_ns = 0;
    return WORKER_GO_ON;
}

static bool making_is_awaited(const struct making *m)
{
    const struct making_reader *r;
    DL_FOREACH(m->readers, r)
    {
        if (r->waits && r->need <= m->at)
            return true;
    }
    return false;
}

/* The size of the next piece, which does not go around the window's end. */
static size_t making_piece(const struct making *m)
{
    size_t n = PIECE, room = m->size - m->at % m->size;
    n = n < room ? n : room;
    return n < m->g->size - m->at ? n : (size_t)(m->g->size - m->at);
}

static int64_t making_step(struct worker *w, void *arg)
{
    struct making *m = arg;
    struct err e = {0};
    if (m->failed || m->at >= m->wanted)
        return WORKER_SLEEP;
    size_t n = making_piece(m);
    uint64_t end = m->at + n, from = end > m->size ? end - m->size : 0;
    int64_t until = making_hold(m, from);
    if (until != WORKER_GO_ON)
        return until;
    if (m->from < from)
        m->from = from;
    worker_unlock(w);
    int r = making_make(m, m->window + m->at % m->size, &n, &e);
    worker_lock(w);
    if (r < 0)
        return making_fail(m, r, &e), WORKER_SLEEP;
    m->at += n;
    if (making_is_awaited(m))
        worker_wake(w);
    return WORKER_GO_ON;
}

int making_new(const struct generated *g, struct schema_cache *c, uint64_t before,
               struct making **out)
{
    struct making *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->g = g;
    m->contents = c;
    m->size = g->size < MAKING_WINDOW ? (size_t)g->size : MAKING_WINDOW;
    m->window = malloc(m->size + 1);
    m->stopping = (struct tarball_reader){making_is_stopping, m};
    m->began_ns = m->used_ns = time_mono_ns();
    generated_text_at(g, before, &m->text);
    m->from = m->at = m->wanted = m->text.at;
    int r = m->window ? worker_start(making_step, m, &m->thread) : -ENOMEM;
    if (r < 0)
        making_free(m);
    else
        *out = m;
    return r;
}

void making_free(struct making *m)
{
    if (!m)
        return;
    worker_stop(m->thread);
    generated_text_clear(m->g, &m->text);
    free(m->window);
    free(m);
}

void making_leave(struct making_reader *r)
{
    struct making *m = r->of;
    if (!m)
        return;
    worker_lock(m->thread);
    DL_DELETE(m->readers, r);
    worker_wake(m->thread); /* it may have waited for r */
    worker_unlock(m->thread);
    r->of = NULL;
}

void making_join(struct making *m, struct making_reader *r)
{
    if (r->of == m)
        return;
    making_leave(r);
    worker_lock(m->thread);
    DL_APPEND(m->readers, r);
    worker_unlock(m->thread);
    r->of = m;
}

void making_abandon(struct making *m)
{
    while (m->readers)
        making_leave(m->readers);
}

uint64_t making_distance(struct making *m, const struct making_reader *r, uint64_t off)
{
    worker_lock(m->thread);
    bool others = m->readers && (m->readers != r || r->next);
    uint64_t d = off < m->from ? MAKING_NEVER : off < m->at ? 0 : off - m->at;
    if (d > 0 && (m->failed || (others && d > m->size / 2)))
        d = MAKING_NEVER;
    worker_unlock(m->thread);
    return d;
}

int64_t making_used_ns(struct making *m)
{
    worker_lock(m->thread);
    int64_t used = m->readers ? m->used_ns : 0;
    worker_unlock(m->thread);
    return used;
}

/* What of the n bytes at off is in the window, but not around its end. */
static size_t making_copy(const struct making *m, void *buf, size_t n, uint64_t off)
{
    size_t place = off % m->size, room = m->size - place;
    n = n < room ? n : room;
    n = n < m->at - off ? n : (size_t)(m->at - off);
    memcpy(buf, m->window + place, n);
    return n;
}

/* Returns once r can have what it needs: 1; or never: 0, or -errno. Called with the lock. */
static int making_wait(struct making *m, const struct making_reader *r,
                       const struct tarball_reader *who, struct err *e)
{
    while (r->at >= m->from && m->at < r->need && !m->failed) {
        worker_wait_until(m->thread, time_mono_ns() + ASK_NS);
        if (reader_interrupted(who))
            return err_set(e, -EINTR, "interrupted");
    }
    if (r->at < m->from)
        return 0;
    if (m->at < r->need)
        *e = m->why;
    return m->at < r->need ? m->failed : 1;
}

ssize_t making_take(struct making *m, struct making_reader *r, const struct tarball_reader *who,
                    void *buf, size_t n, uint64_t off, size_t ahead, struct err *e)
{
    worker_lock(m->thread);
    uint64_t wanted = off + n + ahead;
    n = n < m->size / 2 + 1 ? n : m->size / 2 + 1;
    r->at = off;
    r->need = off + n;
    r->waits = true;
    if (wanted > m->wanted)
        m->wanted = wanted < m->g->size ? wanted : m->g->size;
    worker_wake(m->thread);
    ssize_t got = making_wait(m, r, who, e);
    if (got > 0)
        got = (ssize_t)making_copy(m, buf, n, off);
    r->waits = false;
    r->at += got > 0 ? (uint64_t)got : 0;
    r->used_ns = m->used_ns = time_mono_ns();
    worker_wake(m->thread);
    worker_unlock(m->thread);
    return got;
}
