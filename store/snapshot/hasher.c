/* SPDX-License-Identifier: MIT */
#include "store/snapshot/hasher.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/base/worker.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNK ((size_t)1 << 20)
#define POLL_NS (50 * MILLISECOND_NS) /* how often a waiter asks whether it was interrupted */

struct hash_job {
    struct hasher *hasher;
    struct capture *capture;
    struct hash_job *next;
    /* Guarded by the hasher's lock: */
    size_t follow_member; /* everything before this byte of this member may be hashed */
    uint64_t follow_off;
    unsigned waiters; /* while there are any, everything may */
    bool busy;        /* the thread is at work on it */
    bool failed;
    bool closing; /* being freed */
    struct err why;
    /* Used by the thread alone: */
    size_t member; /* the first whose sum may be unknown */
    uint64_t off;  /* how far its sum has come */
    struct sha256 *sha;
};

struct hasher {
    struct worker *worker; /* its lock guards: */
    struct hash_job *jobs;
    char *buf; /* of the thread */
};

/* Moves *i past the members before end with known sums; true if that reaches end. */
static bool all_known(const struct capture *c, size_t *i, size_t end)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m;
    uint8_t sum[SHA256_BYTES];
    while (*i < end && (m = capture_look(c, *i, &look, NULL)) &&
           (member_is_folder(m) || capture_sum(c, *i, sum)))
        ++*i;
    return *i >= end;
}

static void skip_known(struct hash_job *j)
{
    if (j->off == 0)
        all_known(j->capture, &j->member, capture_count(j->capture));
}

static bool may_hash(const struct hash_job *j)
{
    if (j->failed || j->closing || j->member >= capture_count(j->capture))
        return false;
    return j->waiters || j->member < j->follow_member ||
           (j->member == j->follow_member && j->off < j->follow_off);
}

static struct hash_job *next_job(struct hasher *h)
{
    struct hash_job *found = NULL;
    for (struct hash_job *j = h->jobs; j; j = j->next) {
        skip_known(j);
        if (may_hash(j) && (!found || (j->waiters && !found->waiters)))
            found = j;
    }
    return found;
}

/* Hashes the next piece of the job's member, up to limit. Called without the lock. */
static int hash_piece(struct hasher *h, struct hash_job *j, uint64_t limit, struct err *e)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(j->capture, j->member, &look, e);
    if (!m)
        return -EIO;
    if (j->off == 0)
        sha256_reset(j->sha);
    uint64_t left = (limit < m->attr.size ? limit : m->attr.size);
    left = left > j->off ? left - j->off : 0;
    size_t n = left < CHUNK ? (size_t)left : CHUNK;
    int r = capture_read(j->capture, j->member, h->buf, n, j->off, e);
    if (r < 0)
        return r;
    sha256_add(j->sha, h->buf, n);
    j->off += n;
    if (j->off < m->attr.size)
        return 0;
    uint8_t sum[SHA256_BYTES];
    struct err damaged = {0};
    r = damage_look(j->capture, j->member, DAMAGE_INDEX, &damaged);
    if (r < 0 && r != -EBADMSG) /* the code that asks for damage reports it; the bytes are right */
        return err_set(e, r, "%s", damaged.text);
    sha256_end(j->sha, sum);
    capture_set_sum(j->capture, j->member, sum);
    j->member++;
    j->off = 0;
    return 0;
}

static int64_t hasher_step(struct worker *w, void *arg)
{
    struct hasher *h = arg;
    struct hash_job *j = next_job(h);
    struct err e = {0};
    if (!j)
        return WORKER_SLEEP;
    uint64_t limit = j->waiters || j->member < j->follow_member ? UINT64_MAX : j->follow_off;
    j->busy = true;
    worker_unlock(w);
    int r = hash_piece(h, j, limit, &e);
    skip_known(j);
    if (r == 0 && j->member == capture_count(j->capture))
        capture_keep_sums(j->capture, NULL);
    worker_lock(w);
    j->busy = false;
    if (r < 0) {
        j->failed = true;
        j->why = e;
    }
    worker_wake(w);
    return WORKER_GO_ON;
}

int hasher_new(struct hasher **out)
{
    struct hasher *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->buf = malloc(CHUNK);
    int r = h->buf ? worker_start(hasher_step, h, &h->worker) : -ENOMEM;
    if (r < 0) {
        hasher_free(h);
        return r;
    }
    *out = h;
    return 0;
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    worker_stop(h->worker);
    free(h->buf);
    free(h);
}

int hash_job_new(struct hasher *h, struct capture *c, struct hash_job **out)
{
    struct hash_job *j = calloc(1, sizeof(*j));
    if (!j)
        return -ENOMEM;
    j->sha = sha256_new();
    if (!j->sha) {
        free(j);
        return -ENOMEM;
    }
    j->hasher = h;
    j->capture = c;
    worker_lock(h->worker);
    j->next = h->jobs;
    h->jobs = j;
    worker_unlock(h->worker);
    *out = j;
    return 0;
}

void hash_job_free(struct hash_job *j)
{
    if (!j)
        return;
    struct hasher *h = j->hasher;
    worker_lock(h->worker);
    j->closing = true;
    while (j->busy)
        worker_wait(h->worker);
    struct hash_job **p = &h->jobs;
    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    worker_unlock(h->worker);
    capture_keep_sums(j->capture, NULL);
    sha256_free(j->sha);
    free(j);
}

void hash_job_follow(struct hash_job *j, size_t i, uint64_t off)
{
    struct hasher *h = j->hasher;
    worker_lock(h->worker);
    if (i > j->follow_member || (i == j->follow_member && off > j->follow_off)) {
        j->follow_member = i;
        j->follow_off = off;
        worker_wake(h->worker);
    }
    worker_unlock(h->worker);
}

bool hash_job_idle(struct hash_job *j)
{
    worker_lock(j->hasher->worker);
    if (!j->busy)
        skip_known(j);
    bool idle = !j->busy && j->member == capture_count(j->capture);
    worker_unlock(j->hasher->worker);
    return idle;
}

int hash_job_wait(struct hash_job *j, size_t first, size_t end, bool (*interrupted)(void *ctx),
                  void *ctx, struct err *e)
{
    struct hasher *h = j->hasher;
    int r = 0;
    worker_lock(h->worker);
    j->waiters++;
    worker_wake(h->worker);
    while (!all_known(j->capture, &first, end)) {
        if (j->failed)
            r = err_set(e, -EIO, "%s", j->why.text);
        else if (interrupted && interrupted(ctx))
            r = err_set(e, -EINTR, "interrupted while checksums were computed");
        if (r < 0)
            break;
        worker_wait_until(h->worker, time_mono_ns() + POLL_NS);
    }
    j->waiters--;
    worker_unlock(h->worker);
    return r;
}
