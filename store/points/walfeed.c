/* SPDX-License-Identifier: MIT */
#include "store/points/walfeed.h"

#include "store/base/buffer.h"
#include "store/base/processors.h"
#include "store/base/time.h"
#include "store/base/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* As many replays of a WAL are cheaper than to put it down, if all of it is of the measurement. */
#define REPLAYS 4

/* Keys that the processor's caches do not hold cost twice as much each, which is more than it takes to put
 * them down; of what is put down, as much is replayed at a time as they hold well, or as is in a range. */
#define MOST_TOGETHER ((size_t)4 << 20)
#define LEAST_PART ((size_t)1 << 20)

/* A thread costs more than the replay of fewer bytes of segments. */
#define LEAST_ASIDE ((uint64_t)64 << 10)

#define ASK_NS (50 * MILLISECOND_NS)

/* A part with more to say, in bytes, is made by the caller, who says it at once. */
#define SAID_MOST ((size_t)64 << 10)

struct walfeed {
    struct walfeed_query q;
    bool aside;           /* parts may be made by a thread */
    struct walcache *now; /* the part that was given last; NULL: none was */

    /* The next part. All of this is the worker's while there is one. */
    struct buffer from;    /* its first series */
    bool far;              /* how much is left from there on is not known */
    size_t left, replayed; /* else, as walcache_left and walcache_replayed of the part before it */
    size_t used;           /* bytes of that part, if it is used meanwhile; else 0 */
    size_t most;           /* bytes of a replay of the segments */
    struct walranges *parts; /* the WAL, put down; NULL: it is not */
    size_t part;             /* bytes that a replay of one of them may take */
    bool no_parts;           /* and cannot be */
    struct walcache *made;

    struct worker *worker; /* that makes it; NULL: there is none */
    bool done;             /* it has; guarded by the worker's lock, as the result is until then */
    int result;
    struct err why;
    struct buffer said; /* lines, each with a NUL */
    bool talks;         /* there was more to say */
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the WAL");
}

static bool is_of_the_file(int r)
{
    return r < 0 && r != -EINTR && r != -ENOMEM && r != -EBADMSG;
}

static bool walfeed_begun(const struct walfeed *f)
{
    return f->from.n > 0;
}

/* Bytes that a replay may take. */
static size_t walfeed_memory(const struct walfeed *f)
{
    if (f->parts)
        return f->part;
    return walfeed_begun(f) || f->most < MOST_TOGETHER ? f->most : MOST_TOGETHER;
}

/* What was put down may grow as it is read: without room for that, the segments are read. */
static int walfeed_replay(struct walfeed *f, const struct walreplay_query *of, struct err *e)
{
    struct walcache_query q = {.of = *of, .memory = walfeed_memory(f), .parts = f->parts};
    struct err why = {0};
    int r = walcache_open(&q, &f->made, &why);
    if (f->parts && is_of_the_file(r)) {
        walranges_free(f->parts);
        f->parts = NULL;
        f->no_parts = true;
        q.memory = walfeed_memory(f);
        q.parts = NULL;
        r = walcache_open(&q, &f->made, &why);
    }
    return r < 0 ? err_set(e, r, "%s", why.text) : 0;
}

/* Whether to put down what is left. Each time that the segments are read, all of their records are, of
 * whatever measurement. */
static bool walfeed_pays(const struct walfeed *f)
{
    return f->left / REPLAYS > f->q.memory ||
           (f->left > MOST_TOGETHER && f->left >= f->replayed / 2);
}

/* Puts down the WAL, if that pays. Without room for that, it is replayed instead. */
static int walfeed_put_down(struct walfeed *f, const struct walreplay_query *of, struct err *e)
{
    struct err why = {0};
    const size_t all = f->q.memory, share = f->aside ? all / 3 : all / 2;
    if (!walfeed_begun(f) || f->far || f->parts || f->no_parts || !walfeed_pays(f))
        return 0;
    size_t part = 4 * (f->left / WALRANGES_MOST);
    part = part > LEAST_PART ? part : LEAST_PART;
    f->part = part < share ? part : share + 1;
    const size_t now = f->used + f->part, then = f->aside ? 2 * f->part : f->part;
    const size_t taken = now > then ? now : then;
    const struct walranges_limits l = {.memory = f->part,
                                       .pages = all > taken ? all - taken : 0,
                                       .weight = f->left,
                                       .folder = f->q.folder,
                                       .spilled = f->q.spilled};
    int r = walranges_make(of, &l, &f->parts, &why);
    f->no_parts = is_of_the_file(r);
    return r < 0 && !f->no_parts ? err_set(e, r, "%s", why.text) : 0;
}

/* Makes the part from `from` on. */
static int walfeed_make(struct walfeed *f, const struct gaps *gaps,
                        const struct tarball_reader *reader, struct err *e)
{
    struct walreplay_query of = f->q.of;
    of.from = walfeed_begun(f) ? (struct slice){f->from.p, f->from.n} : (struct slice){NULL, 0};
    of.gaps = gaps;
    of.reader = reader;
    int r = walfeed_put_down(f, &of, e);
    return r < 0 ? r : walfeed_replay(f, &of, e);
}

/* In the worker's thread */

/* Threads that make parts, of all feeds. */
static atomic_uint walfeed_threads;

static void walfeed_say(void *ctx, const char *words)
{
    struct walfeed *f = ctx;
    if (f->said.n < SAID_MOST)
        buffer_add(&f->said, words, strlen(words) + 1);
    else
        f->talks = true;
}

static bool walfeed_is_stopping(void *ctx)
{
    const struct walfeed *f = ctx;
    return f->talks || worker_is_stopping(f->worker);
}

static int64_t walfeed_step(struct worker *w, void *ctx)
{
    struct walfeed *f = ctx;
    worker_unlock(w);
    const struct gaps *theirs = f->q.of.gaps;
    const struct gaps gaps = {theirs && theirs->names, theirs && theirs->damage, walfeed_say, f};
    const struct tarball_reader reader = {walfeed_is_stopping, f};
    int r = walfeed_make(f, &gaps, &reader, &f->why);
    atomic_fetch_sub(&walfeed_threads, 1);
    worker_lock(w);
    f->result = r;
    f->done = true;
    worker_wake(w);
    return WORKER_END;
}

/* In the caller's */

static bool walfeed_may_begin(void)
{
    if (processors_spare() <= 0)
        return false;
    /* Those that wait for a disk do not seem to use a processor. */
    if (atomic_fetch_add(&walfeed_threads, 1) < processors_allowed())
        return true;
    atomic_fetch_sub(&walfeed_threads, 1);
    return false;
}

/* Begins to make the next part, while one of so many bytes is used. Without a thread, or room, it is made
 * when it is asked for. */
static void walfeed_begin_aside(struct walfeed *f, size_t used)
{
    const size_t all = f->q.memory, room = all > used ? all - used : 0;
    if (!f->aside || (!f->parts && all && room < all / 3) || !walfeed_may_begin())
        return;
    f->done = f->talks = false;
    f->why.text[0] = 0;
    f->used = used;
    f->most = used ? room : all / 2 + (all > 0);
    if (worker_start(walfeed_step, f, &f->worker) < 0)
        atomic_fetch_sub(&walfeed_threads, 1);
}

static void walfeed_end_aside(struct walfeed *f)
{
    worker_stop(f->worker);
    f->worker = NULL;
}

/* Drops what the worker has made. */
static void walfeed_drop(struct walfeed *f)
{
    walfeed_end_aside(f);
    walcache_unref(f->made);
    f->made = NULL;
    buffer_free(&f->said);
}

static int walfeed_tell(struct walfeed *f, struct err *e)
{
    for (size_t i = 0; i < f->said.n; i += strlen(f->said.p + i) + 1)
        f->q.of.gaps->say(f->q.of.gaps->ctx, f->said.p + i);
    const bool failed = f->said.failed;
    buffer_free(&f->said);
    return failed ? no_memory(e) : 0;
}

static int walfeed_make_now(struct walfeed *f, struct err *e)
{
    f->used = 0;
    f->most = f->q.memory;
    return walfeed_make(f, f->q.of.gaps, f->q.of.reader, e);
}

/* Waits for the part that the worker makes. */
static int walfeed_wait(struct walfeed *f, struct err *e)
{
    bool interrupted = false;
    worker_lock(f->worker);
    while (!f->done && !(interrupted = reader_interrupted(f->q.of.reader)))
        worker_wait_until(f->worker, time_mono_ns() + ASK_NS);
    worker_unlock(f->worker);
    walfeed_end_aside(f);
    if (interrupted)
        return err_set(e, -EINTR, "interrupted");
    if (f->talks) {
        walfeed_drop(f);
        f->aside = false;
        return walfeed_make_now(f, e);
    }
    int r = walfeed_tell(f, e);
    return r == 0 && f->result < 0 ? err_set(e, f->result, "%s", f->why.text) : r;
}

/* Sets where the next part begins. */
static int walfeed_set_from(struct walfeed *f, struct slice from, bool far, struct err *e)
{
    f->far = far;
    f->from.n = 0;
    buffer_add(&f->from, from.p, from.n);
    return f->from.failed ? no_memory(e) : 0;
}

/* Lets go of the part before the next one is taken. */
static int walfeed_leave(struct walfeed *f, struct slice least, struct err *e)
{
    int r = 0;
    if (least.p && slice_compare(least, walcache_rest(f->now)) > 0) {
        walfeed_drop(f);
        r = walfeed_set_from(f, least, true, e);
    }
    walcache_unref(f->now);
    f->now = NULL;
    return r;
}

/* Takes the part that was made; the next one may be begun. */
static int walfeed_take(struct walfeed *f, bool walks, struct err *e)
{
    f->now = f->made;
    f->made = NULL;
    f->left = walcache_left(f->now);
    f->replayed = walcache_replayed(f->now);
    const struct slice rest = walcache_rest(f->now);
    int r = rest.p ? walfeed_set_from(f, rest, false, e) : 0;
    if (r == 0 && rest.p && walks)
        walfeed_begin_aside(f, walcache_memory(f->now));
    return r;
}

int walfeed_next(struct walfeed *f, struct slice least, struct walcache **out, struct err *e)
{
    if (f->now && !walcache_rest(f->now).p)
        return 0;
    int r = f->now ? walfeed_leave(f, least, e) : 0;
    if (r == 0)
        r = f->worker ? walfeed_wait(f, e) : walfeed_make_now(f, e);
    if (r == 0)
        r = walfeed_take(f, !least.p, e);
    *out = f->now;
    return r < 0 ? r : 1;
}

static uint64_t walfeed_bytes(const struct walfeed_query *q)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < q->of.shard->nwal; i++)
        bytes += capture_member(q->of.capture, q->of.shard->wal[i])->attr.size;
    return bytes;
}

int walfeed_open(const struct walfeed_query *q, struct walfeed **out)
{
    struct walfeed *f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    f->q = *q;
    f->aside = walfeed_bytes(q) >= LEAST_ASIDE && processors_allowed() > 1;
    walfeed_begin_aside(f, 0);
    *out = f;
    return 0;
}

void walfeed_free(struct walfeed *f)
{
    if (!f)
        return;
    walfeed_drop(f);
    walcache_unref(f->now);
    walranges_free(f->parts);
    buffer_free(&f->from);
    free(f);
}
