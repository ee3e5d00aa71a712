/* SPDX-License-Identifier: MIT */
#include "store/snapshot/snapshots.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/snapshot/capture_source.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define POLL_NS 50000000 /* how often a waiter asks whether it was interrupted */

struct shared {
    struct tarball *tarball;
    bool live; /* of the store as it was when it was taken */
    unsigned refs;
    struct shared *next;
};

/* Lock order: take before lock. */
struct snapshots {
    struct catalog *catalog;
    struct capture_source *source;
    struct hasher *hasher;
    pthread_mutex_t take; /* one look at the store at a time */
    pthread_mutex_t lock; /* guards the list */
    struct shared *list;  /* the tarballs in use, newest first */
};

int snapshots_open(const struct store_paths *paths, const char *state, struct snapshots **out,
                   struct err *note, struct err *e)
{
    char host[HOST_NAME_MAX + 1] = "";
    struct snapshots *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->take, NULL);
    pthread_mutex_init(&s->lock, NULL);
    gethostname(host, sizeof(host) - 1);
    int r = catalog_open(state, &s->catalog, note, e);
    if (r == 0)
        r = capture_source_new(paths, s->catalog, host, &s->source);
    if (r == 0)
        r = hasher_new(&s->hasher);
    if (r < 0) {
        snapshots_close(s);
        return r;
    }
    *out = s;
    return 0;
}

void snapshots_allow_left_out(struct snapshots *s)
{
    capture_source_allow_left_out(s->source);
}

void snapshots_close(struct snapshots *s)
{
    if (!s)
        return;
    hasher_free(s->hasher);
    capture_source_free(s->source);
    catalog_close(s->catalog);
    pthread_mutex_destroy(&s->take);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct shared *ref_newest(struct snapshots *s)
{
    pthread_mutex_lock(&s->lock);
    struct shared *n = s->list;
    while (n && !n->live)
        n = n->next;
    if (n)
        n->refs++;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static int share(struct snapshots *s, struct capture *c, bool live, struct shared **out)
{
    struct shared *n = calloc(1, sizeof(*n));
    int r = n ? tarball_new(s->hasher, c, &n->tarball) : -ENOMEM;
    if (r < 0) {
        capture_unref(c);
        free(n);
        return r;
    }
    n->live = live;
    n->refs = 1;
    pthread_mutex_lock(&s->lock);
    n->next = s->list;
    s->list = n;
    pthread_mutex_unlock(&s->lock);
    *out = n;
    return 0;
}

static int take(struct snapshots *s, const struct window_wait *wait, struct tarball **out,
                struct err *e)
{
    struct shared *newest = ref_newest(s);
    struct capture *before = newest ? (struct capture *)tarball_capture(newest->tarball) : NULL;
    struct capture *c;
    int r = capture_source_take(s->source, before, wait, &c, e);
    if (r == 0 && c == before) {
        capture_unref(c);
        *out = newest->tarball;
        return 0;
    }
    struct shared *fresh = NULL;
    if (r == 0)
        r = share(s, c, true, &fresh);
    if (newest)
        snapshots_put(s, newest->tarball);
    if (r == 0)
        *out = fresh->tarball;
    return r;
}

/* Another may be at it for as long as the disk takes. */
static int wait_for_turn(struct snapshots *s, const struct tarball_reader *reader, struct err *e)
{
    for (;;) {
        int64_t at = time_mono_ns() + POLL_NS;
        const struct timespec until = {at / 1000000000, at % 1000000000};
        int r = pthread_mutex_clocklock(&s->take, CLOCK_MONOTONIC, &until);
        if (r != ETIMEDOUT)
            return -r;
        if (reader_interrupted(reader))
            return err_set(e, -EINTR, "interrupted while another took a capture");
    }
}

int snapshots_now(struct snapshots *s, const struct tarball_reader *reader, struct tarball **out,
                  struct err *e)
{
    int turn = wait_for_turn(s, reader, e);
    if (turn < 0)
        return turn;
    struct window_wait wait = {time_mono_ns() + SNAPSHOTS_SETTLE_NS,
                               reader ? reader->interrupted : NULL, reader ? reader->ctx : NULL};
    int r = take(s, &wait, out, e);
    pthread_mutex_unlock(&s->take);
    if (r < 0 && e && !e->text[0])
        err_sys(e, r, "capturing the store");
    return r;
}

static struct shared **find(struct snapshots *s, const struct tarball *t)
{
    struct shared **p = &s->list;
    while ((*p)->tarball != t)
        p = &(*p)->next;
    return p;
}

void snapshots_put(struct snapshots *s, struct tarball *t)
{
    pthread_mutex_lock(&s->lock);
    struct shared **p = find(s, t), *gone = NULL;
    if (--(*p)->refs == 0) {
        gone = *p;
        *p = gone->next;
    }
    pthread_mutex_unlock(&s->lock);
    if (gone) {
        tarball_free(gone->tarball);
        free(gone);
    }
}

int snapshots_share(struct snapshots *s, struct capture *c, struct tarball **out)
{
    struct shared *fresh;
    int r = share(s, c, false, &fresh);
    if (r == 0)
        *out = fresh->tarball;
    return r;
}

struct catalog *snapshots_catalog(struct snapshots *s)
{
    return s->catalog;
}

void snapshots_trouble(struct snapshots *s, struct err *out)
{
    catalog_trouble(s->catalog, out);
}
