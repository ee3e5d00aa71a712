/* SPDX-License-Identifier: MIT */
/* How an upload takes bytes: in order into the ring, else into the spool until their gap is filled. */
#include "store/base/cleanup.h"
#include "store/restore/frame.h"
#include "store/restore/upload_impl.h"

#include <errno.h>
#include <string.h>

#define PIECE_BYTES (256u << 10)

/* Puts bytes into the ring, waiting for room; the caller is the one that feeds, and has counted
 * them in u->fed. -EINTR: the last of them did not go in, and are counted no more. */
static int feed(struct upload *u, const void *buf, size_t n, const struct tarball_reader *who,
                struct err *e)
{
    int r = 0;
    for (size_t done = 0; done < n;) {
        size_t k = ring_put(&u->ring, (const char *)buf + done, n - done);
        done += k;
        if (k && u->starving)
            pthread_cond_broadcast(&u->changed);
        else if (k == 0)
            r = upload_wait(u, who);
        if (upload_dead(u))
            return upload_refusal(u, e);
        if (u->state != RECEIVING)
            return err_set(e, -EIO, "%s: something was written behind its end", u->name);
        if (r < 0) {
            u->fed -= n - done;
            return err_set(e, r, "%s: interrupted", u->name);
        }
    }
    return 0;
}

static int spool(struct upload *u, const void *buf, size_t n, uint64_t off, struct err *e)
{
    int r = 0;
    if (u->spool.fd < 0) {
        r = session_spool(u->session, e);
        if (r < 0)
            return r;
        u->spool.fd = r;
    }
    r = spool_put(&u->spool, buf, n, off);
    return r < 0 ? err_sys(e, r, "%s: bytes that came out of order cannot be set aside", u->name)
                 : 0;
}

/* Feeds bytes that begin at u->fed; those that an interruption leaves over are set aside, where the
 * next one to feed finds them. */
static int feed_or_spool(struct upload *u, const char *buf, size_t n,
                         const struct tarball_reader *who, struct err *e)
{
    const uint64_t end = u->fed + n;
    u->fed = end;
    int r = feed(u, buf, n, who, e);
    if (r != -EINTR || u->fed == end)
        return r;
    size_t left = (size_t)(end - u->fed);
    int put = spool(u, buf + n - left, left, u->fed, e);
    return put < 0 ? put : r;
}

/* Feeds on with what was spooled behind a gap that is now closed. */
static int feed_spooled(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    if (spool_next(&u->spool, u->fed) != u->fed)
        return 0;
    autofree char *buf = malloc(PIECE_BYTES);
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", u->name);
    for (;;) {
        long n = spool_take(&u->spool, u->fed, buf, PIECE_BYTES);
        if (n <= 0)
            return n < 0 ? err_sys(e, (int)n, "%s: bytes set aside", u->name) : 0;
        int r = feed_or_spool(u, buf, (size_t)n, who, e);
        if (r < 0)
            return r;
    }
}

static void feeding_ends(struct upload *u)
{
    u->feeding = false;
    pthread_cond_broadcast(&u->changed);
}

int upload_feed_holes(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    static const char zeros[PIECE_BYTES];
    int r = 0;
    u->feeding = true;
    while (r == 0 && u->fed < u->size) {
        uint64_t next = spool_next(&u->spool, u->fed);
        uint64_t gap = (next < u->size ? next : u->size) - u->fed;
        size_t n = gap < sizeof(zeros) ? (size_t)gap : sizeof(zeros);
        u->fed += n;
        if (n && (r = feed(u, zeros, n, who, e)) < 0)
            break;
        r = feed_spooled(u, who, e);
    }
    feeding_ends(u);
    return r;
}

/* Any failure of taking bytes spoils the whole, since they will not come again. */
static int spoil(struct upload *u, int code, const struct tarball_reader *who, const struct err *e)
{
    if (u->state == RECEIVING && !u->cancelled) {
        session_refused(u->session, u, u->name, e->text);
        upload_end(u, code, e->text, who);
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
static int catch_up(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    int r = 0;
    while (r == 0 && u->state == RECEIVING && !upload_dead(u) &&
           !(u->starving && u->ring.used == 0))
        r = upload_wait(u, who);
    return upload_dead(u) ? upload_refusal(u, e) : r;
}

/* Once they are in the ring or set aside, the bytes are taken, whatever interrupts. */
static int write_in_order(struct upload *u, const void *buf, size_t n,
                          const struct tarball_reader *who, struct err *e)
{
    u->feeding = true;
    int r = feed_or_spool(u, buf, n, who, e);
    if (r == 0)
        r = feed_spooled(u, who, e);
    if (r == 0 && ends_in_zeros(buf, n))
        r = catch_up(u, who, e);
    feeding_ends(u);
    return r == -EINTR ? 0 : r;
}

/* What an interrupted call left in the spool comes before anything else. */
static int feed_left_over(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    if (u->feeding || u->state != RECEIVING)
        return 0;
    u->feeding = true;
    int r = feed_spooled(u, who, e);
    feeding_ends(u);
    return r;
}

static int take(struct upload *u, const void *buf, size_t n, uint64_t off,
                const struct tarball_reader *who, struct err *e)
{
    if (upload_dead(u))
        return upload_refusal(u, e);
    int r = upload_start(u, e);
    if (r == 0)
        r = feed_left_over(u, who, e);
    while (r == 0 && u->feeding && off == u->fed && !upload_dead(u))
        r = upload_wait(u, who);
    if (r == 0 && upload_dead(u))
        r = upload_refusal(u, e);
    if (r < 0)
        return r;
    u->killed = false;
    if (off < u->fed)
        return err_set(e, -EIO,
                       "%s: byte %llu was written again after it was unpacked; copy it in order",
                       u->name, (unsigned long long)off);
    if (u->eof || u->state != RECEIVING)
        return err_set(e, -EIO, "%s: something was written behind its end", u->name);
    u->incomplete = 0;
    if (off + n > u->size)
        u->size = off + n;
    if (off == u->fed)
        return write_in_order(u, buf, n, who, e);
    r = spool(u, buf, n, off, e);
    return r < 0 ? spoil(u, r, who, e) : 0;
}

int upload_write(struct upload *u, const void *buf, size_t n, uint64_t off,
                 const struct tarball_reader *who, struct err *e)
{
    struct err own = {0};
    if (n == 0)
        return 0;
    if (off > MANIFEST_FILE_MAX || n > MANIFEST_FILE_MAX - off)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&u->lock);
    u->users++;
    int r = take(u, buf, n, off, who, &own);
    u->users--;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return r < 0 ? err_set(e, r, "%s", own.text) : 0;
}
