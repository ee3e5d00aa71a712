/* SPDX-License-Identifier: MIT */
#include "store/snapshot/hasher.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/processors.h"
#include "store/base/time.h"
#include "store/snapshot/hashing.h"

#include <errno.h>

#define POLL_NS (50 * MILLISECOND_NS) /* how often a waiter asks whether it was interrupted */
#define LOOK_NS MILLISECOND_NS        /* how often a thread looks whether processors are idle */
#define AHEAD ((uint64_t)8 << 20) /* so much is read from disk while members before it are hashed */
#define SCANNED ((size_t)1 << 10) /* so many members are looked at without a look at who waits */
#define NONE SIZE_MAX

/* A member that has been begun. */
struct begun {
    bool used; /* its sum is not known yet */
    bool busy; /* a thread is at work on it */
    struct hashing hashing;
};

struct hash_job {
    struct hasher *hasher;
    struct capture *capture;
    struct hash_job *next;
    /* Guarded by the hasher's lock: */
    size_t follow_member; /* everything before this byte of this member may be hashed */
    uint64_t follow_off;
    unsigned waiters; /* while there are any, everything may */
    bool asked;       /* somebody has read, or waited */
    size_t wanted;    /* they sleep until all before this member is settled */
    size_t first;     /* the first member that was not begun and whose sum may be unknown */
    bool found;       /* it is unknown; that member has */
    uint64_t size;    /* so many bytes */
    bool scanning;    /* a thread looks for it */
    size_t told;      /* the first member that the kernel has not been told of, */
    uint64_t ahead;   /* and how many bytes those before it have, from `first` on */
    struct begun begun[HASHER_THREADS];
    unsigned users; /* threads that use the job without the lock */
    unsigned news;  /* counts the members that were hashed, and the looks for the first */
    size_t failed;  /* the first member that could not be read; NONE */
    struct err why;
    bool closing; /* being freed */
};

struct hash_thread {
    struct hasher *hasher;
    pthread_t id;
    int64_t looked_ns; /* 0: not since it began */
    int spare;         /* the processors then (processors_spare); 0: not since it began */
    char buf[HASHING_PIECE];
};

struct hasher {
    pthread_mutex_t lock; /* guards what follows, and jobs */
    pthread_cond_t work;  /* for threads: there may be something to hash */
    pthread_cond_t done;  /* for those who wait for it */
    struct hash_job *jobs;
    unsigned working; /* threads that do not wait for work */
    bool called;      /* one that waits is to come */
    bool stop;
    unsigned nthreads;
    struct hash_thread *threads;
};

/* Whether there is nothing to hash. A member that cannot be looked at fails when it is hashed. */
static bool is_known(const struct capture *c, size_t i, struct capture_look *look)
{
    uint8_t sum[SHA256_BYTES];
    const struct member *m = capture_look(c, i, look, NULL);
    return m && (member_is_folder(m) || capture_sum(c, i, sum));
}

static uint64_t size_of(const struct capture *c, size_t i, struct capture_look *look)
{
    const struct member *m = capture_look(c, i, look, NULL);
    return m ? m->attr.size : 0;
}

/* Moves *i past the members before end with known sums; true if that reaches end. */
static bool all_known(const struct capture *c, size_t *i, size_t end)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    while (*i < end && is_known(c, *i, &look))
        ++*i;
    return *i >= end;
}

static bool job_may_hash(const struct hash_job *j, size_t member, uint64_t off)
{
    if (member >= capture_count(j->capture) || member >= j->failed)
        return false;
    return j->waiters || member < j->follow_member ||
           (member == j->follow_member && off < j->follow_off);
}

/* Whether no more will be known of the members before end than is now. */
static bool job_settled(const struct hash_job *j, size_t end)
{
    const size_t to = end < j->failed ? end : j->failed;
    bool settled = j->first >= to;
    for (size_t i = 0; i < HASHER_THREADS; i++)
        settled &= !j->begun[i].used || j->begun[i].hashing.member >= to;
    return settled;
}

static bool job_complete(const struct hash_job *j)
{
    return j->failed == NONE && job_settled(j, capture_count(j->capture));
}

/* Whether the first member whose sum is unknown is to be looked for. */
static bool job_wants_scan(const struct hash_job *j)
{
    return !j->found && !j->scanning && !j->closing && j->first < j->failed &&
           j->first < capture_count(j->capture) && j->asked;
}

/* The member of the job that a thread is to go on with, the first of those begun, or the next one. */
static struct begun *hash_next(struct hash_job *j)
{
    struct begun *room = NULL, *found = NULL;
    for (struct begun *b = j->begun; b < j->begun + HASHER_THREADS && !j->closing; b++) {
        if (!b->used)
            room = b;
        else if (!b->busy && job_may_hash(j, b->hashing.member, b->hashing.off) &&
                 (!found || b->hashing.member < found->hashing.member))
            found = b;
    }
    if (found || !room || !j->found || !job_may_hash(j, j->first, 0))
        return found;
    room->used = true;
    room->hashing.member = j->first++;
    room->hashing.off = 0;
    j->found = false;
    j->ahead -= j->size < j->ahead ? j->size : j->ahead;
    return room;
}

/* What is waited for comes before what a reader may ask for. */
static struct begun *hasher_next(const struct hasher *h, struct hash_job **out)
{
    struct begun *b = NULL;
    for (int waited = 1; !b && waited >= 0; waited--)
        for (struct hash_job *j = h->jobs; !b && j; j = j->next)
            if ((j->waiters > 0) == waited && (b = hash_next(j)))
                *out = j;
    return b;
}

/* The members that the kernel is to be told of, [*from, *to), before a thread that runs ahead of all
 * readers goes on: it would else wait for the disk at each file. */
static void hash_look_ahead(struct hash_job *j, size_t *from, size_t *to)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const size_t n = capture_count(j->capture);
    if (j->told < j->first) {
        j->told = j->first;
        j->ahead = 0;
    }
    *from = j->told;
    for (; j->told < n && j->ahead < AHEAD; j->told++)
        if (!is_known(j->capture, j->told, &look))
            j->ahead += size_of(j->capture, j->told, &look);
    *to = j->told;
}

static void tell_of(const struct capture *c, size_t from, size_t to)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    for (size_t i = from; i < to; i++) {
        const uint64_t size = size_of(c, i, &look);
        if (!is_known(c, i, &look))
            capture_advise(c, i, size < AHEAD ? (size_t)size : (size_t)AHEAD, 0);
    }
}

/* After a member, or a look for the first one. Called with the lock, which is released meanwhile. */
static void hash_tell(struct hash_job *j)
{
    struct hasher *h = j->hasher;
    j->news++;
    if (j->waiters && job_settled(j, j->wanted)) {
        j->wanted = NONE;
        pthread_cond_broadcast(&h->done);
    }
    if (job_complete(j)) {
        pthread_mutex_unlock(&h->lock);
        capture_keep_sums(j->capture, NULL);
        pthread_mutex_lock(&h->lock);
    }
}

static void hash_leave(struct hash_job *j)
{
    if (--j->users == 0 && j->closing)
        pthread_cond_broadcast(&j->hasher->done);
}

/* After a piece. r: what hashing_go_on has returned. */
static void hash_went_on(struct hash_job *j, struct begun *b, int r, const struct err *e)
{
    b->busy = false;
    b->used = r == 0;
    if (r < 0 && b->hashing.member < j->failed) {
        j->failed = b->hashing.member;
        j->why = *e;
    }
    if (r != 0)
        hash_tell(j);
}

/* Looks for the first member whose sum is unknown, some members on. Called with the lock, which is released
 * meanwhile: to know a sum of a cut takes the catalogue, which another process may hold. */
static void hash_scan(struct hash_job *j)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const size_t n = capture_count(j->capture);
    size_t first = j->first;
    const size_t end = n - first < SCANNED ? n : first + SCANNED;
    j->scanning = true;
    j->users++;
    pthread_mutex_unlock(&j->hasher->lock);
    const bool none = all_known(j->capture, &first, end);
    const uint64_t size = none ? 0 : size_of(j->capture, first, &look);
    pthread_mutex_lock(&j->hasher->lock);
    j->scanning = false;
    j->first = first;
    j->found = !none;
    j->size = size;
    hash_tell(j);
    hash_leave(j);
}

static bool hasher_scan(const struct hasher *h)
{
    struct hash_job *j = h->jobs;
    while (j && !job_wants_scan(j))
        j = j->next;
    if (j)
        hash_scan(j);
    return j != NULL;
}

/* Has a thread that waits look for something to hash. Called with the lock. */
static void hasher_call(struct hasher *h)
{
    if (h->called || h->working == h->nthreads)
        return;
    h->called = true;
    pthread_cond_signal(&h->work);
}

/* Looks whether a processor is idle, and calls another thread then. Before the piece, which may wait for
 * the disk. Called without the lock. */
static void hasher_look(struct hash_thread *t)
{
    struct hasher *h = t->hasher;
    const int64_t now = time_mono_ns();
    if (h->nthreads == 1 || now - t->looked_ns < LOOK_NS)
        return;
    t->looked_ns = now;
    t->spare = processors_spare();
    if (t->spare <= 0)
        return;
    lock_scope(&h->lock);
    hasher_call(h);
}

/* Hashes a piece. Called with the lock, which is released meanwhile. */
static void hasher_piece(struct hasher *h, struct hash_thread *t, struct hash_job *j,
                         struct begun *b)
{
    struct err e = {0};
    size_t from = 0, to = 0;
    const size_t i = b->hashing.member;
    const uint64_t limit = j->waiters || i < j->follow_member ? UINT64_MAX : j->follow_off;
    if (i > j->follow_member && capture_takes_advice(j->capture))
        hash_look_ahead(j, &from, &to);
    b->busy = true;
    j->users++;
    pthread_mutex_unlock(&h->lock);
    hasher_look(t);
    tell_of(j->capture, from, to);
    int r = hashing_go_on(&b->hashing, t->buf, limit, &e);
    pthread_mutex_lock(&h->lock);
    hash_went_on(j, b, r, &e);
    hash_leave(j);
}

/* Hashes until there is nothing to hash, or another thread goes on and the processor is wanted. Called
 * with the lock. */
static void hasher_work(struct hasher *h, struct hash_thread *t)
{
    struct hash_job *j;
    bool any = true;
    t->looked_ns = 0;
    t->spare = 0;
    while (any && !h->stop && (t->spare >= 0 || h->working == 1)) {
        struct begun *b = hasher_next(h, &j);
        if (b)
            hasher_piece(h, t, j, b);
        else
            any = hasher_scan(h);
    }
}

static void *hasher_run(void *arg)
{
    struct hash_thread *t = arg;
    struct hasher *h = t->hasher;
    pthread_mutex_lock(&h->lock);
    while (!h->stop) {
        if (!h->called) {
            pthread_cond_wait(&h->work, &h->lock);
            continue;
        }
        h->called = false;
        h->working++;
        hasher_work(h, t);
        h->working--;
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

int hasher_new(struct hasher **out)
{
    struct hasher *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    const unsigned want = processors_allowed();
    const unsigned most = want < HASHER_THREADS ? want : HASHER_THREADS;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->work, NULL);
    cond_init(&h->done);
    h->threads = calloc(most, sizeof(*h->threads));
    int r = h->threads ? 0 : -ENOMEM;
    pthread_mutex_lock(&h->lock); /* what a thread does first is look at nthreads */
    while (r == 0 && h->nthreads < most) {
        struct hash_thread *t = &h->threads[h->nthreads];
        t->hasher = h;
        r = -pthread_create(&t->id, NULL, hasher_run, t);
        h->nthreads += r == 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (h->nthreads == 0) { /* one suffices */
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
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_cond_broadcast(&h->work);
    pthread_mutex_unlock(&h->lock);
    for (unsigned i = 0; i < h->nthreads; i++)
        pthread_join(h->threads[i].id, NULL);
    pthread_cond_destroy(&h->done);
    pthread_cond_destroy(&h->work);
    pthread_mutex_destroy(&h->lock);
    free(h->threads);
    free(h);
}

int hash_job_new(struct hasher *h, struct capture *c, struct hash_job **out)
{
    struct hash_job *j = calloc(1, sizeof(*j));
    if (!j)
        return -ENOMEM;
    j->hasher = h;
    j->capture = c;
    j->wanted = j->failed = NONE;
    for (size_t i = 0; i < HASHER_THREADS; i++)
        j->begun[i].hashing.capture = c;
    lock_scope(&h->lock);
    j->next = h->jobs;
    h->jobs = j;
    *out = j;
    return 0;
}

void hash_job_free(struct hash_job *j)
{
    if (!j)
        return;
    struct hasher *h = j->hasher;
    pthread_mutex_lock(&h->lock);
    j->closing = true;
    while (j->users)
        pthread_cond_wait(&h->done, &h->lock);
    struct hash_job **p = &h->jobs;
    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    pthread_mutex_unlock(&h->lock);
    capture_keep_sums(j->capture, NULL);
    for (size_t i = 0; i < HASHER_THREADS; i++)
        hashing_clear(&j->begun[i].hashing);
    free(j);
}

/* There may be more to hash: a thread that works finds it by itself. Called with the lock. */
static void hasher_wake(struct hasher *h)
{
    if (h->working == 0)
        hasher_call(h);
}

void hash_job_follow(struct hash_job *j, size_t i, uint64_t off)
{
    struct hasher *h = j->hasher;
    lock_scope(&h->lock);
    if (i > j->follow_member || (i == j->follow_member && off > j->follow_off)) {
        j->follow_member = i;
        j->follow_off = off;
        j->asked = true;
        hasher_wake(h);
    }
}

bool hash_job_idle(struct hash_job *j)
{
    lock_scope(&j->hasher->lock);
    return job_complete(j);
}

int hash_job_wait(struct hash_job *j, size_t first, size_t end, bool (*interrupted)(void *ctx),
                  void *ctx, struct err *e)
{
    struct hasher *h = j->hasher;
    int r = 0;
    pthread_mutex_lock(&h->lock);
    j->waiters++;
    j->asked = true;
    for (;;) {
        const unsigned news = j->news;
        pthread_mutex_unlock(&h->lock);
        const bool known = all_known(j->capture, &first, end);
        pthread_mutex_lock(&h->lock);
        if (known)
            break;
        if (first >= j->failed)
            r = err_set(e, -EIO, "%s", j->why.text);
        else if (interrupted && interrupted(ctx))
            r = err_set(e, -EINTR, "interrupted while checksums were computed");
        if (r < 0)
            break;
        j->wanted = end < j->wanted ? end : j->wanted;
        hasher_wake(h);
        if (news == j->news) /* else what is waited for may have come meanwhile */
            cond_wait_until(&h->done, &h->lock, time_mono_ns() + POLL_NS);
    }
    j->waiters--;
    pthread_mutex_unlock(&h->lock);
    return r;
}
