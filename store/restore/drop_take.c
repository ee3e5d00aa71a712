/* SPDX-License-Identifier: MIT */
/* How a drop takes bytes: in order into the ring, else into the spool until their gap is filled. */
#include "store/base/cleanup.h"
#include "store/restore/drop_impl.h"
#include "store/restore/frame.h"

#include <errno.h>
#include <string.h>

#define PIECE_BYTES (256u << 10)

/* Puts bytes into the ring, waiting for room; the caller is the one that feeds. */
static int feed(struct drop *d, const void *buf, size_t n, struct err *e)
{
    for (size_t done = 0; done < n;) {
        size_t k = ring_put(&d->ring, (const char *)buf + done, n - done);
        done += k;
        if (k && d->starving)
            pthread_cond_broadcast(&d->changed);
        else if (k == 0)
            pthread_cond_wait(&d->changed, &d->lock);
        if (drop_dead(d))
            return drop_refusal(d, e);
        if (d->state != RECEIVING)
            return err_set(e, -EIO, "%s: something was written behind its end", d->name);
    }
    return 0;
}

/* Feeds on with what was spooled behind a gap that is now closed. */
static int feed_spooled(struct drop *d, struct err *e)
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
        d->fed += (uint64_t)n;
        int r = feed(d, buf, (size_t)n, e);
        if (r < 0)
            return r;
    }
}

int drop_feed_holes(struct drop *d, struct err *e)
{
    static const char zeros[PIECE_BYTES];
    int r = 0;
    d->feeding = true;
    while (r == 0 && d->fed < d->size) {
        uint64_t next = spool_next(&d->spool, d->fed);
        uint64_t gap = (next < d->size ? next : d->size) - d->fed;
        size_t n = gap < sizeof(zeros) ? (size_t)gap : sizeof(zeros);
        d->fed += n;
        if (n && (r = feed(d, zeros, n, e)) < 0)
            break;
        r = feed_spooled(d, e);
    }
    d->feeding = false;
    pthread_cond_broadcast(&d->changed);
    return r;
}

/* Any failure of taking bytes spoils the whole, since they will not come again. */
static int spoil(struct drop *d, int code, const struct err *e)
{
    if (d->state == RECEIVING && !d->cancelled) {
        room_refused(d->room, d, d->name, e->text);
        drop_end(d, code, e->text);
    }
    return code;
}

static int spool(struct drop *d, const void *buf, size_t n, uint64_t off, struct err *e)
{
    int r = 0;
    if (d->spool.fd < 0) {
        r = room_spool(d->room, e);
        if (r < 0)
            return r;
        d->spool.fd = r;
    }
    r = spool_put(&d->spool, buf, n, off);
    return r < 0 ? err_sys(e, r, "%s: bytes that came out of order cannot be set aside", d->name)
                 : 0;
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
static int catch_up(struct drop *d, struct err *e)
{
    while (d->state == RECEIVING && !drop_dead(d) && !(d->starving && d->ring.used == 0))
        pthread_cond_wait(&d->changed, &d->lock);
    return drop_dead(d) ? drop_refusal(d, e) : 0;
}

static int write_in_order(struct drop *d, const void *buf, size_t n, struct err *e)
{
    d->feeding = true;
    d->fed += n;
    int r = feed(d, buf, n, e);
    if (r == 0)
        r = feed_spooled(d, e);
    if (r == 0 && ends_in_zeros(buf, n))
        r = catch_up(d, e);
    d->feeding = false;
    pthread_cond_broadcast(&d->changed);
    return r;
}

static int take(struct drop *d, const void *buf, size_t n, uint64_t off, struct err *e)
{
    if (drop_dead(d))
        return drop_refusal(d, e);
    int r = drop_start(d, e);
    while (r == 0 && d->feeding && off == d->fed && !drop_dead(d))
        pthread_cond_wait(&d->changed, &d->lock);
    if (r == 0 && drop_dead(d))
        r = drop_refusal(d, e);
    if (r < 0)
        return r;
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
        return write_in_order(d, buf, n, e);
    r = spool(d, buf, n, off, e);
    return r < 0 ? spoil(d, r, e) : 0;
}

int drop_write(struct drop *d, const void *buf, size_t n, uint64_t off, struct err *e)
{
    struct err own = {0};
    if (n == 0)
        return 0;
    if (off > MANIFEST_FILE_MAX || n > MANIFEST_FILE_MAX - off)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&d->lock);
    d->users++;
    int r = take(d, buf, n, off, &own);
    d->users--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return r < 0 ? err_set(e, r, "%s", own.text) : 0;
}
