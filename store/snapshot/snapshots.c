/* SPDX-License-Identifier: MIT */
#include "store/snapshot/snapshots.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/snapshot/capture_source.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct snapshots {
    struct catalog *catalog;
    struct capture_source *source;
    struct hasher *hasher;
    pthread_mutex_t take;       /* one look at the store at a time */
    struct tarball_weak newest; /* of the store as it was when it was last looked at */
};

int snapshots_open(const struct store_paths *paths, const char *state, struct snapshots **out,
                   struct err *note, struct err *e)
{
    char host[HOST_NAME_MAX + 1] = "";
    struct snapshots *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->take, NULL);
    pthread_mutex_init(&s->newest.lock, NULL);
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

bool snapshots_lost(const struct snapshots *s)
{
    return capture_source_lost(s->source);
}

void snapshots_close(struct snapshots *s)
{
    if (!s)
        return;
    hasher_free(s->hasher);
    capture_source_free(s->source);
    catalog_close(s->catalog);
    pthread_mutex_destroy(&s->take);
    pthread_mutex_destroy(&s->newest.lock);
    free(s);
}

int snapshots_tarball(struct snapshots *s, struct capture *c, struct tarball **out)
{
    return tarball_new(s->hasher, c, out);
}

/* Returns the newest tarball again if nothing has changed. */
static int snapshots_take(struct snapshots *s, const struct window_wait *wait, struct tarball **out,
                          struct err *e)
{
    cleanup(tarball_unrefp) struct tarball *newest = tarball_weak_ref(&s->newest);
    struct capture *before = newest ? tarball_capture(newest) : NULL, *c;
    int r = capture_source_take(s->source, before, wait, &c, e);
    if (r < 0)
        return r;
    if (c == before) {
        capture_unref(c);
        *out = steal_ptr(&newest);
        return 0;
    }
    r = snapshots_tarball(s, c, out);
    if (r == 0)
        tarball_weak_set(&s->newest, *out);
    return r;
}

/* Waits for the turn to take a capture, which another thread may have for as long as the disk takes. */
static int snapshots_begin(struct snapshots *s, const struct tarball_reader *reader,
                           struct window_wait *wait, struct err *e)
{
    *wait = (struct window_wait){.interrupted = reader ? reader->interrupted : NULL,
                                 .ctx = reader ? reader->ctx : NULL};
    if (lock_unless(&s->take, wait->interrupted, wait->ctx) < 0)
        return err_set(e, -EINTR, "interrupted while another took a capture");
    wait->deadline_ns = time_mono_ns() + SNAPSHOTS_SETTLE_NS;
    return 0;
}

/* Gives the turn back, and r, with a message if it is an error. */
static int snapshots_end(struct snapshots *s, int r, struct err *e)
{
    pthread_mutex_unlock(&s->take);
    if (r < 0 && e && !e->text[0])
        err_sys(e, r, "capturing the store");
    return r;
}

int snapshots_changes(struct snapshots *s, const struct marks_wanted *wanted,
                      const struct tarball_reader *reader, struct capture **out, bool *later,
                      struct err *e)
{
    struct window_wait wait;
    int r = snapshots_begin(s, reader, &wait, e);
    if (r < 0)
        return r;
    r = capture_source_changes(s->source, wanted, &wait, out, later, e);
    return snapshots_end(s, r, e);
}

int snapshots_part(struct snapshots *s, const struct selection *what, struct capture *before,
                   const struct tarball_reader *reader, struct capture **out, struct err *e)
{
    struct window_wait wait;
    int r = snapshots_begin(s, reader, &wait, e);
    if (r < 0)
        return r;
    cleanup(tarball_unrefp) struct tarball *newest = tarball_weak_ref(&s->newest);
    r = capture_source_part(s->source, what, before, newest ? tarball_capture(newest) : NULL, &wait,
                            out, e);
    return snapshots_end(s, r, e);
}

int snapshots_now(struct snapshots *s, const struct tarball_reader *reader, struct tarball **out,
                  struct err *e)
{
    struct window_wait wait;
    int r = snapshots_begin(s, reader, &wait, e);
    if (r < 0)
        return r;
    r = snapshots_take(s, &wait, out, e);
    return snapshots_end(s, r, e);
}

struct catalog *snapshots_catalog(struct snapshots *s)
{
    return s->catalog;
}
