/* SPDX-License-Identifier: MIT */
#include "store/restore/drop.h"

#include "store/base/cleanup.h"
#include "store/restore/ring.h"
#include "store/restore/room.h"
#include "store/restore/spool.h"
#include "store/restore/unpack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RING_BYTES (8u << 20)
#define BLOCK_BYTES (1u << 20) /* largest that the unpacker gets at once */
#define PIECE_BYTES (256u << 10)

enum state {
    EMPTY,      /* no thread */
    RECEIVING,  /* the thread unpacks */
    VERIFIED,   /* it has ended well: all is staged */
    INSTALLING, /* somebody exchanges it with the store */
    RESTORED,
    REFUSED, /* for the reason in `code` and `why` */
};

struct drop {
    struct restore *room;
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* anything below that somebody may wait for */

    char *name;
    enum state state;
    int code; /* of REFUSED */
    struct err why;
    bool abandoned;
    bool joinable;
    pthread_t thread;
    struct stage *stage; /* the thread's while it runs */

    uint64_t size; /* as stat shows it */
    uint64_t fed;  /* bytes below this went to the ring, or are about to */
    bool feeding;  /* somebody is putting bytes in, in order */
    bool written;  /* any byte ever */
    struct spool spool;
    struct ring ring;

    bool starving; /* the unpacker waits for more, */
    int if_ended;  /* and this would be its verdict */
    bool eof;      /* no more will come */
    int users;     /* calls that may be waiting */
};

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
    while (d->ring.used == 0 && !d->eof && !d->abandoned)
        pthread_cond_wait(&d->changed, &d->lock);
    d->starving = false;
    ssize_t n = d->abandoned ? -ECANCELED : (ssize_t)ring_lend(&d->ring, BLOCK_BYTES, block);
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
    int r = room_claim(d->room, d, name, m, &d->stage, e);
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

static void *unpack_thread(void *arg)
{
    struct drop *d = arg;
    struct err why = {0};
    const struct unpack_io io = {give_block, begin, member, progress, d};
    int r = unpack_run(&io, &why);
    autofree char *name = name_of(d);
    const char *shown = name ? name : "?";
    stage_free(steal_ptr(&d->stage));
    if (r == 0) {
        room_verified(d->room, d, shown);
    } else {
        /* An abandonment is told by whoever abandons. */
        if (r != -ECANCELED)
            room_refused(d->room, d, shown, why.text);
        room_release(d->room, d);
    }
    pthread_mutex_lock(&d->lock);
    d->state = r == 0 ? VERIFIED : REFUSED;
    if (d->code == 0) { /* else the writers' side has said why already */
        d->code = r;
        d->why = why;
    }
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* The writers' side; d->lock is held in all that follows up to the public functions */

static int refusal(const struct drop *d, struct err *e)
{
    if (d->state == REFUSED)
        return err_set(e, d->code, "%s", d->why.text);
    return err_set(e, -ECANCELED, "%s: abandoned", d->name);
}

static bool dead(const struct drop *d)
{
    return d->abandoned || d->state == REFUSED;
}

static int start(struct drop *d, struct err *e)
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
        if (dead(d))
            return refusal(d, e);
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

/* Whatever is still missing is a hole. */
static int feed_holes(struct drop *d, struct err *e)
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
    if (d->state == RECEIVING && !d->abandoned) {
        d->abandoned = true;
        d->code = code;
        d->why = *e;
        room_refused(d->room, d, d->name, e->text);
        pthread_cond_broadcast(&d->changed);
        while (d->state == RECEIVING) /* until what was staged is gone */
            pthread_cond_wait(&d->changed, &d->lock);
        d->abandoned = false;
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

static int write_in_order(struct drop *d, const void *buf, size_t n, struct err *e)
{
    d->feeding = true;
    d->fed += n;
    int r = feed(d, buf, n, e);
    if (r == 0)
        r = feed_spooled(d, e);
    d->feeding = false;
    pthread_cond_broadcast(&d->changed);
    return r;
}

static int take(struct drop *d, const void *buf, size_t n, uint64_t off, struct err *e)
{
    if (dead(d))
        return refusal(d, e);
    int r = start(d, e);
    while (r == 0 && d->feeding && off == d->fed && !dead(d))
        pthread_cond_wait(&d->changed, &d->lock);
    if (r == 0 && dead(d))
        r = refusal(d, e);
    if (r < 0)
        return r;
    if (off < d->fed)
        return err_set(e, -EIO,
                       "%s: byte %llu was written again after it was unpacked; copy it in order",
                       d->name, (unsigned long long)off);
    if (d->eof || d->state != RECEIVING)
        return err_set(e, -EIO, "%s: something was written behind its end", d->name);
    d->written = true;
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

/* Ends the thread and whatever waits; afterwards the drop is as drop_new made it, or RESTORED. */
static void stop(struct drop *d)
{
    while (d->state == INSTALLING)
        pthread_cond_wait(&d->changed, &d->lock);
    d->abandoned = true;
    pthread_cond_broadcast(&d->changed);
    while (d->users > 0)
        pthread_cond_wait(&d->changed, &d->lock);
    bool join = d->joinable;
    d->joinable = false;
    pthread_mutex_unlock(&d->lock);
    if (join)
        pthread_join(d->thread, NULL);
    room_release(d->room, d);
    pthread_mutex_lock(&d->lock);
    spool_free(&d->spool);
    ring_free(&d->ring);
}

static void restart(struct drop *d)
{
    stop(d);
    d->state = EMPTY;
    d->abandoned = d->eof = d->written = d->starving = false;
    d->code = 0;
    d->why.text[0] = 0;
    d->size = d->fed = 0;
}

int drop_truncate(struct drop *d, uint64_t size, struct err *e)
{
    int r = 0;
    if (size > MANIFEST_FILE_MAX)
        return err_sys(e, -EFBIG, "restore");
    pthread_mutex_lock(&d->lock);
    if (size == 0)
        restart(d);
    else if (d->abandoned || d->state == REFUSED)
        r = refusal(d, e);
    else if (size == d->size)
        r = 0;
    else if (size < d->fed || d->state == VERIFIED || d->state == INSTALLING ||
             d->state == RESTORED)
        r = err_set(e, -EIO, "%s: its size was changed after it was unpacked", d->name);
    else {
        spool_truncate(&d->spool, size);
        d->size = size;
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
    int r = room_install(d->room, d, copy, &why);
    pthread_mutex_lock(&d->lock);
    d->state = r == 0 ? RESTORED : REFUSED;
    d->code = r;
    d->why = why;
    ring_free(&d->ring);
    pthread_cond_broadcast(&d->changed);
    return r == 0 ? 0 : refusal(d, e);
}

/* Waits until the unpacker has taken everything and says what it is worth. */
static int settle(struct drop *d, struct err *e)
{
    while (d->feeding && !dead(d))
        pthread_cond_wait(&d->changed, &d->lock);
    int r = dead(d) || d->state != RECEIVING ? 0 : feed_holes(d, e);
    while (r == 0 && d->state == RECEIVING && !d->abandoned) {
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
        err_set(&d->why, code, "%s", d->written ? "not a snapshot" : "empty: not a snapshot");
    else
        err_set(&d->why, code, "ends early: it is not complete after %llu bytes",
                (unsigned long long)d->size);
    if (strcmp(before.text, d->why.text) != 0)
        room_pending(d->room, d, d->name, d->why.text);
    return err_set(e, code, "%s: %s", d->name, d->why.text);
}

static int judge(struct drop *d, bool commit, struct err *e)
{
    while (d->state == INSTALLING)
        pthread_cond_wait(&d->changed, &d->lock);
    if (!dead(d) && d->state == EMPTY)
        return pending(d, -EINVAL, e);
    if (!dead(d) && d->state == RECEIVING) {
        int r = settle(d, e);
        if (d->state == RECEIVING && !d->abandoned)
            return pending(d, r, e);
    }
    while (d->state == INSTALLING)
        pthread_cond_wait(&d->changed, &d->lock);
    if (dead(d))
        return refusal(d, e);
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
    int r = d->state == VERIFIED && !d->abandoned && !waiting_name(name) ? install(d, name, e) : 0;
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
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    spool_init(&d->spool);
    *out = d;
    return 0;
}

void drop_abandon(struct drop *d, const char *why)
{
    pthread_mutex_lock(&d->lock);
    bool undecided = d->state == RECEIVING || d->state == VERIFIED;
    if (!d->abandoned && undecided)
        room_refused(d->room, d, d->name,
                     why                    ? why
                     : d->state == VERIFIED ? "removed before it was renamed"
                                            : "ends early");
    if (d->state != RESTORED && d->state != REFUSED)
        stop(d);
    pthread_mutex_unlock(&d->lock);
}

void drop_free(struct drop *d)
{
    if (!d)
        return;
    drop_abandon(d, NULL);
    pthread_mutex_lock(&d->lock);
    stop(d);
    pthread_mutex_unlock(&d->lock);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d->name);
    free(d);
}

uint64_t drop_size(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t n = d->size;
    pthread_mutex_unlock(&d->lock);
    return n;
}

bool drop_done(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    bool done = d->state == RESTORED || d->state == VERIFIED || d->state == INSTALLING;
    pthread_mutex_unlock(&d->lock);
    return done;
}

bool drop_restored(struct drop *d)
{
    pthread_mutex_lock(&d->lock);
    bool done = d->state == RESTORED;
    pthread_mutex_unlock(&d->lock);
    return done;
}
