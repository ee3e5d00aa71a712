/* SPDX-License-Identifier: MIT */
#include "store/restore/feed.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/restore/ring.h"
#include "store/restore/spool.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING_BYTES (8u << 20)
#define BLOCK_BYTES (1u << 20) /* largest that the reader gets at once */
#define PIECE_BYTES (256u << 10)
#define POLL_NS (50 * MILLISECOND_NS) /* how often one who waits is asked about an interruption */

struct feed {
    pthread_mutex_t *lock;
    pthread_cond_t *changed;
    struct ring ring;
    struct spool spool;
    uint64_t size;
    uint64_t fed;  /* bytes before this went into the ring, or are about to */
    bool feeding;  /* a writer is putting bytes into the ring */
    bool starving; /* the reader waits for more, */
    int if_ended;  /* the reader's result if no more came */
    bool ended;    /* no more bytes: the ring holds the last ones */
    bool cancelled;
    bool closed; /* cancelled, or the reader has ended: nothing more is read */
};

int feed_new(pthread_mutex_t *lock, pthread_cond_t *changed,
             int (*open_spool)(void *arg, struct err *e), void *arg, struct feed **out)
{
    struct feed *f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    f->lock = lock;
    f->changed = changed;
    spool_init(&f->spool, open_spool, arg);
    *out = f;
    return 0;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    spool_free(&f->spool);
    ring_free(&f->ring);
    free(f);
}

int feed_wait(const struct feed *f, const struct tarball_reader *who)
{
    if (reader_interrupted(who))
        return -EINTR;
    cond_wait_until(f->changed, f->lock, who ? time_mono_ns() + POLL_NS : INT64_MAX);
    return 0;
}

static void feed_changed(struct feed *f)
{
    pthread_cond_broadcast(f->changed);
}

void feed_reset(struct feed *f)
{
    spool_free(&f->spool);
    f->size = f->fed = 0;
    f->starving = f->ended = f->cancelled = f->closed = false;
}

int feed_open(struct feed *f)
{
    return ring_init(&f->ring, RING_BYTES);
}

/* Puts bytes into the ring and counts them in f->fed; an interruption may leave some, uncounted. */
static int feed_ring(struct feed *f, const char *buf, size_t n, const struct tarball_reader *who)
{
    size_t done = 0;
    int r = 0;
    while (r == 0 && !f->closed && done < n) {
        size_t k = ring_put(&f->ring, buf + done, n - done);
        done += k;
        if (k && f->starving)
            feed_changed(f);
        else if (k == 0)
            r = feed_wait(f, who);
    }
    if (f->closed)
        return -EPIPE;
    f->fed -= n - done;
    return r;
}

/* Feeds bytes that start at f->fed. What an interruption leaves goes into the spool, for the next
 * writer to find. */
static int feed_in_order(struct feed *f, const char *buf, size_t n,
                         const struct tarball_reader *who, struct err *e)
{
    const uint64_t end = f->fed + n;
    f->fed = end;
    int r = feed_ring(f, buf, n, who);
    if (r != -EINTR)
        return r;
    size_t left = (size_t)(end - f->fed);
    int put = spool_put(&f->spool, buf + n - left, left, f->fed, e);
    return put < 0 ? put : r;
}

/* Feeds spooled bytes whose gap is now closed. */
static int feed_spooled(struct feed *f, const struct tarball_reader *who, struct err *e)
{
    if (spool_next(&f->spool, f->fed) != f->fed)
        return 0;
    autofree char *buf = malloc(PIECE_BYTES);
    if (!buf)
        return err_sys(e, -ENOMEM, "bytes set aside");
    for (;;) {
        long n = spool_take(&f->spool, f->fed, buf, PIECE_BYTES, e);
        int r = n > 0 ? feed_in_order(f, buf, (size_t)n, who, e) : (int)n;
        if (n <= 0 || r < 0)
            return r;
    }
}

static int feed_holes(struct feed *f, const struct tarball_reader *who, struct err *e)
{
    static const char zeros[PIECE_BYTES];
    int r = 0;
    while (r == 0 && f->fed < f->size) {
        uint64_t next = spool_next(&f->spool, f->fed);
        uint64_t gap = (next < f->size ? next : f->size) - f->fed;
        size_t n = gap < sizeof(zeros) ? (size_t)gap : sizeof(zeros);
        f->fed += n;
        r = feed_ring(f, zeros, n, who);
        if (r == 0)
            r = feed_spooled(f, who, e);
    }
    return r;
}

static bool feed_is_drained(const struct feed *f)
{
    return f->starving && f->ring.used == 0;
}

/* Whether these may be a tar's last bytes. */
static bool ends_in_zeros(const char *buf, size_t n)
{
    static const char zeros[TAR_END];
    size_t k = n < sizeof(zeros) ? n : sizeof(zeros);
    return memcmp(buf + n - k, zeros, k) == 0;
}

static void feeding_ends(struct feed *f)
{
    f->feeding = false;
    feed_changed(f);
}

/* Waits until a write at off may begin, after what an interrupted writer left in the spool. */
static int feed_turn(struct feed *f, uint64_t off, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    if (!f->feeding && !f->closed) {
        f->feeding = true;
        r = feed_spooled(f, who, e);
        feeding_ends(f);
    }
    while (r == 0 && f->feeding && off == f->fed && !f->closed)
        r = feed_wait(f, who);
    return r;
}

int feed_write(struct feed *f, const void *buf, size_t n, uint64_t off,
               const struct tarball_reader *who, struct err *e)
{
    assert_locked(f->lock);
    int r = feed_turn(f, off, who, e);
    if (r < 0)
        return r;
    if (off < f->fed)
        return -EALREADY;
    if (f->ended || f->closed)
        return -EPIPE;
    if (off + n > f->size)
        f->size = off + n;
    if (off > f->fed)
        return spool_put(&f->spool, buf, n, off, e);
    f->feeding = true;
    r = feed_in_order(f, buf, n, who, e);
    if (r == 0)
        r = feed_spooled(f, who, e);
    /* So that this write can report errors: some tools ignore the result of close(2). */
    while (r == 0 && ends_in_zeros(buf, n) && !f->closed && !feed_is_drained(f))
        r = feed_wait(f, who);
    feeding_ends(f);
    return r == -EINTR ? 0 : r; /* the bytes are taken */
}

int feed_truncate(struct feed *f, uint64_t size)
{
    if (f->closed || size < f->fed)
        return -EALREADY;
    spool_truncate(&f->spool, size);
    f->size = size;
    return 0;
}

int feed_finish(struct feed *f, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    assert_locked(f->lock);
    while (r == 0 && f->feeding && !f->closed)
        r = feed_wait(f, who);
    if (r == 0 && !f->closed) {
        f->feeding = true;
        r = feed_holes(f, who, e);
        feeding_ends(f);
    }
    while (r == 0 && !f->closed) {
        if (feed_is_drained(f) && !f->feeding && !f->ended) {
            if (f->if_ended < 0)
                return f->if_ended;
            f->ended = true;
            feed_changed(f);
        }
        r = feed_wait(f, who);
    }
    return r == -EPIPE ? 0 : r;
}

uint64_t feed_size(const struct feed *f)
{
    return f->size;
}

uint64_t feed_fed(const struct feed *f)
{
    return f->fed;
}

void feed_cancel(struct feed *f)
{
    f->cancelled = f->closed = true;
    feed_changed(f);
}

ssize_t feed_next(void *feed, int if_ended, const void **block)
{
    struct feed *f = feed;
    lock_scope(f->lock);
    ring_release(&f->ring);
    f->if_ended = if_ended;
    f->starving = f->ring.used == 0;
    /* Not at every block: a waiting writer is woken when there is much room. */
    if (f->starving || f->ring.used <= RING_BYTES / 2)
        feed_changed(f);
    while (f->ring.used == 0 && !f->ended && !f->cancelled)
        pthread_cond_wait(f->changed, f->lock);
    f->starving = false;
    return f->cancelled ? -ECANCELED : (ssize_t)ring_lend(&f->ring, BLOCK_BYTES, block);
}

int feed_stopped(void *feed)
{
    struct feed *f = feed;
    lock_scope(f->lock);
    return f->cancelled ? -ECANCELED : 0;
}

void feed_done(struct feed *f)
{
    ring_free(&f->ring);
    f->closed = true;
    feed_changed(f);
}
