/* SPDX-License-Identifier: MIT */
/* How a drop takes bytes: in order into the ring, else into the spool until their gap is filled. */
#include "store/base/cleanup.h"
#include "store/restore/drop_impl.h"
#include "store/restore/frame.h"

#include <errno.h>
#include <string.h>

#define PIECE_BYTES (256u << 10)

/* Puts bytes into the ring, waiting for room; the caller is the one that feeds, and has counted
 * them in d->fed. -EINTR: the last of them did not go in, and are counted no more. */
static int feed(struct drop *d, const void *buf, size_t n, const struct tarball_reader *who,
                struct err *e)
{
    int r = 0;
    for (size_t done = 0; done < n;) {
        size_t k = ring_put(&d->ring, (const char *)buf + done, n - done);
        done += k;
        if (k && d->starving)
            pthread_cond_broadcast(&d->changed);
        else if (k == 0)
            r = drop_wait(d, who);
        if (drop_dead(d))
            return drop_refusal(d, e);
        if (d->state != RECEIVING)
            return err_set(e, -EIO, "%s: something was written behind its end", d->name);
        if (r < 0) {
            d->fed -= n - done;
            return err_set(e, r, "%s: interrupted", d->name);
        }
    }
    return 0;
}

static int spool(struct drop *d, const void *buf, size_t n, uint64_t off, struct err *e)
{
    int r = 0;
    if (d->spool.fd < 0) {
        r = session_spool(d->session, e);
        if (r < 0)
            return r;
        d->spool.fd = r;
    }
    r = spool_put(&d->spool, buf, n, off);
    return r < 0 ? err_sys(e, r, "%s: bytes that came out of order cannot be set aside", d->name)
                 : 0;
}

/* Feeds bytes that begin at d->fed; those that an interruption leaves over are set aside, where the
 * next one to feed finds them. */
static int feed_or_spool(struct drop *d, const char *buf, size_t n,
                         const struct tarball_reader *who, struct err *e)
{
    const uint64_t end = d->fed + n;
    d->fed = end;
    int r = feed(d, buf, n, who, e);
    if (r != -EINTR || d->fed == end)
        return r;
    size_t left = (size_t)(end - d->fed);
    int put = spool(d, buf + n - left, left, d->fed, e);
    return put < 0 ? put : r;
}

/* Feeds on with what was spooled behind a gap that is now closed. */
static int feed_spooled(struct drop *d, const struct tarball_reader *who, struct err *e)
{
    if (spool_next(&d->spool, d->fed) != d->fed)
        return 0;
    autofree char *buf = malloc(PIECE_BYTES);
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", d->name);
    for (;;) {
        long n = spool_take(&d->spool, d->fed, buf, PIECE_BYTES);
        if (n <= 0)
            return n < 0 ? err_sys(e, (int)n, "%s: bytes set aside", d->name) : 0;
        int r = feed_or_spool(d, buf, (size_t)n, who, e);
        if (r < 0)
            return r;
    }
}

static void feeding_ends(struct drop *d)
{
    d->feeding = false;
    pthread_cond_broadcast(&d->changed);
}

int drop_feed_holes(struct drop *d, const struct tarball_reader *who, struct err *e)
{
    static const char zeros[PIECE_BYTES];
    int r = 0;
    d->feeding = true;
    while (r == 0 && d->fed < d->size) {
        uint64_t next = spool_next(&d->spool, d->fed);
        uint64_t gap = (next < d->size ? next : d->size) - d->fed;
        size_t n = gap < sizeof(zeros) ? (size_t)gap : sizeof(zeros);
        d->fed += n;
        if (n && (r = feed(d, zeros, n, who, e)) < 0)
            break;
        r = feed_spooled(d, who, e);
    }
    feeding_ends(d);
    return r;
}

/* Any failure of taking bytes spoils the whole, since they will not come again. */
static int spoil(struct drop *d, int code, const struct tarball_reader *who, const struct err *e)
{
    if (d->state == RECEIVING && !d->cancelled) {
        session_refused(d->session, d, d->name, e->text);
        drop_end(d, code, e->text, who);
    }
    return code;
}

/* Whether these may be the last bytes of a tar. */
static bool ends_in_zeros(const char *buf, size_t n)
{
    static const char zeros[2 * FRAME_BLOCK];
    size_t k = n < sizeof(zeros) ? n : sizeof(zeros);
    return memcmp(buf + n - k, zeros, k) == 0;
}

/* Waits until the unpacker has seen all that came so far, so that the verdict on the sums is also
 * what the last write says: some tools do not look at what close(2) says. */
static int catch_up(struct drop *d, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    while (r == 0 && d->state == RECEIVING && !drop_dead(d) && !(d->starving && d->ring.used == 0))
        r = drop_wait(d, who);
    return drop_dead(d) ? drop_refusal(d, e) : r;
}

/* Once they are in the ring or set aside, the bytes are taken, whatever interrupts. */
static int write_in_order(struct drop *d, const void *buf, size_t n,
                          const struct tarball_reader *who, struct err *e)
{
    d->feeding = true;
    int r = feed_or_spool(d, buf, n, who, e);
    if (r == 0)
        r = feed_spooled(d, who, e);
    if (r == 0 && ends_in_zeros(buf, n))
        r = catch_up(d, who, e);
    feeding_ends(d);
    return r == -EINTR ? 0 : r;
}

/* What an interrupted call left in the spool comes before anything else. */
static int feed_left_over(struct drop *d, const struct tarball_reader *who, struct err *e)
{
    if (d->feeding || d->state != RECEIVING)
        return 0;
    d->feeding = true;
    int r = feed_spooled(d, who, e);
    feeding_ends(d);
    return r;
}

static int take(struct drop *d, const void *buf, size_t n, uint64_t off,
                const struct tarball_reader *who, struct err *e)
{
    if (drop_dead(d))
        return drop_refusal(d, e);
    int r = drop_start(d, e);
    if (r == 0)
        r = feed_left_over(d, who, e);
    while (r == 0 && d->feeding && off == d->fed && !drop_dead(d))
        r = drop_wait(d, who);
    if (r == 0 && drop_dead(d))
        r = drop_refusal(d, e);
    if (r < 0)
        return r;
    d->killed = false;
    if (off < d->fed)
        return err_set(e, -EIO,
                       "%s: byte %llu was written again after it was unpacked; copy it in order",
                       d->name, (unsigned long long)off);
    if (d->eof || d->state != RECEIVING)
        return err_set(e, -EIO, "%s: something was written behind its end", d->name);
    d->incomplete = 0;
    if (off + n > d->size)
        d->size = off + n;
    if (off == d->fed)
        return write_in_order(d, buf, n, who, e);
    r = spool(d, buf, n, off, e);
    return r < 0 ? spoil(d, r, who, e) : 0;
}

int drop_write(struct drop *d, const void *buf, size_t n, uint64_t off,
               const struct tarball_reader *who, struct err *e)
{
    struct err own = {0};
    if (n == 0)
        return 0;
    if (off > MANIFEST_FILE_MAX || n > MANIFEST_FILE_MAX - off)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&d->lock);
    d->users++;
    int r = take(d, buf, n, off, who, &own);
    d->users--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return r < 0 ? err_set(e, r, "%s", own.text) : 0;
}
