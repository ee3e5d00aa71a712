/* SPDX-License-Identifier: MIT */
#include "fs/makings.h"

#include "fs/generated_files.h"
#include "fs/textmarks.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <stdlib.h>

/* As many streams as rclone reads a large file by. */
#define MAKINGS 4
#define AHEAD ((size_t)1 << 20)
/* What beginning a making costs, in bytes made. */
#define BEGIN ((uint64_t)1 << 20)
#define ASK_NS (50 * MILLISECOND_NS)

struct makings {
    const struct generated *g;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t unused;
    struct slot {
        struct making *making; /* NULL: none */
        unsigned users;        /* in making_take */
        bool failed;
    } slots[MAKINGS];
};

struct makings *makings_new(const struct generated *g)
{
    struct makings *all = calloc(1, sizeof(*all));
    if (!all)
        return NULL;
    all->g = g;
    pthread_mutex_init(&all->lock, NULL);
    cond_init(&all->unused);
    return all;
}

void makings_free(struct makings *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < MAKINGS; i++) {
        if (all->slots[i].making)
            making_abandon(all->slots[i].making);
        making_free(all->slots[i].making);
    }
    pthread_cond_destroy(&all->unused);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* The making that has the least way to go to off, if that is less than from a mark. Called with the
 * lock, as are all that follow. */
static struct slot *makings_nearest(struct makings *all, const struct making_reader *r,
                                    uint64_t off)
{
    struct slot *best = NULL;
    uint64_t mark = textmarks_before(all->g->fs->generated->marks, all->g->digest, off, NULL);
    uint64_t least = off - mark + BEGIN;
    for (struct slot *s = all->slots; s < all->slots + MAKINGS; s++) {
        uint64_t d = s->making && !s->failed ? making_distance(s->making, r, off) : MAKING_NEVER;
        if (d < least) {
            best = s;
            least = d;
        }
    }
    return best;
}

/* A slot for another making: one without a good making, else without readers, else the one used least
 * recently; NULL: all are in use just now. */
static struct slot *makings_give_way(struct makings *all)
{
    struct slot *best = NULL;
    int64_t least = INT64_MAX;
    for (struct slot *s = all->slots; s < all->slots + MAKINGS; s++) {
        int64_t used = s->making && !s->failed ? making_used_ns(s->making) : -1;
        if (!s->users && used < least) {
            best = s;
            least = used;
        }
    }
    return best;
}

/* Begins another making, in the place of *old. */
static int makings_begin(struct makings *all, struct schema_cache *c, uint64_t off, struct slot *s,
                         struct making **old)
{
    *old = steal_ptr(&s->making);
    if (*old)
        making_abandon(*old);
    s->failed = false;
    return making_new(all->g, c, off, &s->making);
}

/* Makes r a reader of a making that is on its way to off. */
static int makings_enter(struct makings *all, struct schema_cache *c, struct making_reader *r,
                         const struct tarball_reader *who, uint64_t off, struct slot **out)
{
    struct making *old = NULL;
    struct slot *s = NULL;
    int rc = 0;
    pthread_mutex_lock(&all->lock);
    while (rc == 0 && !(s = makings_nearest(all, r, off))) {
        s = makings_give_way(all);
        if (s) {
            rc = makings_begin(all, c, off, s, &old);
            break;
        }
        cond_wait_until(&all->unused, &all->lock, time_mono_ns() + ASK_NS);
        rc = reader_interrupted(who) ? -EINTR : 0;
    }
    if (rc == 0) {
        making_join(s->making, r);
        s->users++;
    }
    *out = s;
    pthread_mutex_unlock(&all->lock);
    making_free(old);
    return rc;
}

static void makings_exit(struct makings *all, struct slot *s, bool failed)
{
    lock_scope(&all->lock);
    s->failed |= failed;
    if (--s->users == 0)
        pthread_cond_signal(&all->unused);
}

int makings_read(struct makings *all, struct schema_cache *c, struct making_reader *r,
                 const struct tarball_reader *who, void *buf, size_t n, uint64_t off, struct err *e)
{
    /* Who jumps about will not want what comes next. */
    size_t ahead = r->at == off ? AHEAD : 0;
    for (size_t done = 0; done < n;) {
        struct slot *s;
        int rc = makings_enter(all, c, r, who, off + done, &s);
        if (rc < 0)
            return err_sys(e, rc, "a thread that makes the file");
        ssize_t got =
            making_take(s->making, r, who, (char *)buf + done, n - done, off + done, ahead, e);
        makings_exit(all, s, got < 0 && got != -EINTR);
        if (got < 0)
            return (int)got;
        done += (size_t)got;
    }
    return 0;
}

void makings_leave(struct makings *all, struct making_reader *r)
{
    lock_scope(&all->lock);
    making_leave(r);
}
