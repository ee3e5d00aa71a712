/* SPDX-License-Identifier: MIT */
/* The bytes of a file that is being written: the ring for those in order and the spool for others,
 * each driven at random beside a model of it, and the feed that is made of them. */
#include "tests/unit/snap.h"

#include "store/base/lock.h"
#include "store/restore/feed.h"
#include "store/restore/ring.h"
#include "store/restore/spool.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RING_CAP 61
#define SPOOL_SIZE 4000
#define FEED_SIZE (20u << 20) /* more than its ring */

static unsigned below(unsigned n)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned)(x >> 20) % n;
}

/* What comes out is what went in, in the same order; what is lent stays while more goes in. */
static void test_ring(void **state)
{
    struct ring r = {0};
    unsigned char in = 0, out = 0; /* the next byte to go in, and to come out */
    size_t used = 0;
    (void)state;
    assert_int_equal(ring_init(&r, RING_CAP), 0);
    for (int i = 0; i < 20000; i++) {
        unsigned char buf[2 * RING_CAP];
        const void *lent;
        size_t n = below(sizeof(buf)), max = 1 + below(RING_CAP);
        for (size_t k = 0; k < n; k++)
            buf[k] = (unsigned char)(in + k);
        size_t put = ring_put(&r, buf, n), room = RING_CAP - used;
        assert_int_equal(put, n < room ? n : room);
        in = (unsigned char)(in + put);
        used += put;
        size_t got = ring_lend(&r, max, &lent);
        assert_true(got <= max && got <= used && (got > 0 || used == 0));
        put = ring_put(&r, &in, 1);
        assert_int_equal(put, used < RING_CAP);
        in = (unsigned char)(in + put);
        used += put;
        for (size_t k = 0; k < got; k++)
            assert_int_equal(((const unsigned char *)lent)[k], out++);
        ring_release(&r);
        used -= got;
        assert_int_equal(r.used, used);
    }
    assert_int_equal(ring_init(&r, RING_CAP), 0);
    assert_int_equal(r.used, 0);
    ring_free(&r);
}

/* A spool in a file of its own, and what it is to hold. */
struct spooled {
    struct spool spool;
    unsigned char bytes[SPOOL_SIZE];
    bool there[SPOOL_SIZE];
};

static int open_file(void *arg, struct err *e)
{
    int fd = open(arg, O_RDWR | O_CLOEXEC | (strcmp(arg, "/tmp") == 0 ? O_TMPFILE : 0), 0600);
    return fd < 0 ? err_sys(e, -errno, "%s", (const char *)arg) : fd;
}

static void open_spooled(struct spooled *s, const char *path)
{
    memset(s, 0, sizeof(*s));
    spool_init(&s->spool, open_file, (void *)path);
}

static uint64_t model_next(const struct spooled *s, size_t off)
{
    while (off < SPOOL_SIZE && !s->there[off])
        off++;
    return off < SPOOL_SIZE ? off : UINT64_MAX;
}

static void put_some(struct spooled *s)
{
    unsigned char buf[300];
    size_t n = 1 + below(sizeof(buf)), off = below(SPOOL_SIZE - sizeof(buf));
    for (size_t i = 0; i < n; i++) {
        buf[i] = s->bytes[off + i] = (unsigned char)below(256);
        s->there[off + i] = true;
    }
    assert_int_equal(spool_put(&s->spool, buf, n, off, NULL), 0);
}

/* Only the first range is taken from, as the bytes in front of it are gone by then. */
static void take_some(struct spooled *s)
{
    unsigned char buf[500];
    uint64_t first = model_next(s, 0);
    size_t max = 1 + below(sizeof(buf)), n = 0;
    if (first == UINT64_MAX)
        return;
    if (first > 0)
        assert_int_equal(spool_take(&s->spool, first - 1, buf, max, NULL), 0);
    while (n < max && first + n < SPOOL_SIZE && s->there[first + n])
        n++;
    assert_int_equal(spool_take(&s->spool, first, buf, max, NULL), n);
    assert_memory_equal(buf, s->bytes + first, n);
    memset(s->there + first, 0, n * sizeof(bool));
}

static void truncate_some(struct spooled *s)
{
    size_t size = below(SPOOL_SIZE);
    spool_truncate(&s->spool, size);
    memset(s->there + size, 0, (SPOOL_SIZE - size) * sizeof(bool));
}

static void test_spool(void **state)
{
    struct spooled s;
    (void)state;
    open_spooled(&s, "/tmp");
    assert_true(spool_next(&s.spool, 0) == UINT64_MAX);
    for (int i = 0; i < 20000; i++) {
        unsigned what = below(100);
        if (what < 55)
            put_some(&s);
        else if (what < 95)
            take_some(&s);
        else
            truncate_some(&s);
        for (int k = 0; k < 3; k++) {
            size_t off = below(SPOOL_SIZE);
            assert_true(spool_next(&s.spool, off) == model_next(&s, off));
        }
    }
    spool_free(&s.spool);
    assert_int_equal(s.spool.fd, -1);
    assert_true(spool_next(&s.spool, 0) == UINT64_MAX);
}

/* What was taken out takes no room on disk any more. */
static void test_spool_gives_back(void **state)
{
    static char piece[64 << 10];
    struct spooled s;
    struct stat st;
    (void)state;
    open_spooled(&s, "/tmp");
    memset(piece, 'x', sizeof(piece));
    for (uint64_t off = 0; off < 32 * sizeof(piece); off += sizeof(piece))
        assert_int_equal(spool_put(&s.spool, piece, sizeof(piece), off, NULL), 0);
    for (uint64_t off = 0; off < 32 * sizeof(piece); off += sizeof(piece))
        assert_int_equal(spool_take(&s.spool, off, piece, sizeof(piece), NULL), sizeof(piece));
    assert_int_equal(fstat(s.spool.fd, &st), 0);
    assert_true(st.st_blocks * 512 <= (blkcnt_t)sizeof(piece));
    spool_free(&s.spool);
}

/* No place for it, or none on the disk. */
static void test_spool_fails(void **state)
{
    struct spooled s;
    struct err e = {0};
    (void)state;
    open_spooled(&s, "/nowhere");
    assert_int_equal(spool_put(&s.spool, "x", 1, 5, &e), -ENOENT);
    open_spooled(&s, "/dev/full");
    assert_int_equal(spool_put(&s.spool, "x", 1, 5, &e), -ENOSPC);
    assert_non_null(strstr(e.text, "cannot be set aside"));
    assert_true(spool_next(&s.spool, 0) == UINT64_MAX);
    spool_free(&s.spool);
}

/* A feed with its owner, and what its reader got. */
struct fed {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct feed *feed;
    pthread_t reader;
    char *bytes, *got; /* FEED_SIZE of each */
    uint64_t n;        /* that it got, */
    uint64_t complete; /* and takes for the whole */
    bool held;         /* it waits before it reads on */
    int end;           /* what it was told at last */
};

static void *read_feed(void *arg)
{
    struct fed *f = arg;
    ssize_t n = 1;
    while (n > 0) {
        const void *block;
        n = feed_next(f->feed, f->n < f->complete ? -EBADMSG : 0, &block);
        pthread_mutex_lock(&f->lock);
        if (n > 0 && f->n + (uint64_t)n <= FEED_SIZE)
            memcpy(f->got + f->n, block, (size_t)n);
        f->n += n > 0 ? (uint64_t)n : 0;
        while (f->held)
            pthread_cond_wait(&f->changed, &f->lock);
        if (n <= 0) {
            f->end = (int)n;
            feed_done(f->feed);
        }
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

static int spool_in_tmp(void *arg, struct err *e)
{
    (void)arg;
    return open_file((void *)"/tmp", e);
}

static int set_up(void **state)
{
    struct fed *f = *state = calloc(1, sizeof(*f));
    assert_non_null(f);
    pthread_mutex_init(&f->lock, NULL);
    cond_init(&f->changed);
    f->bytes = malloc(FEED_SIZE);
    f->got = malloc(FEED_SIZE);
    assert_true(f->bytes && f->got);
    for (size_t i = 0; i < FEED_SIZE; i++)
        f->bytes[i] = (char)(1 + i * 2654435761u % 255);
    f->complete = FEED_SIZE;
    assert_int_equal(feed_new(&f->lock, &f->changed, spool_in_tmp, NULL, &f->feed), 0);
    assert_int_equal(feed_open(f->feed), 0);
    assert_int_equal(pthread_create(&f->reader, NULL, read_feed, f), 0);
    return 0;
}

static int tear_down(void **state)
{
    struct fed *f = *state;
    pthread_mutex_lock(&f->lock);
    f->held = false;
    feed_cancel(f->feed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->reader, NULL);
    feed_free(f->feed);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f->bytes);
    free(f->got);
    free(f);
    return 0;
}

static void hold(struct fed *f, bool held)
{
    pthread_mutex_lock(&f->lock);
    f->held = held;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static int write_fed(struct fed *f, uint64_t from, uint64_t to, const struct tarball_reader *who)
{
    pthread_mutex_lock(&f->lock);
    int r = feed_write(f->feed, f->bytes + from, to - from, from, who, NULL);
    pthread_mutex_unlock(&f->lock);
    return r;
}

static int finish(struct fed *f)
{
    pthread_mutex_lock(&f->lock);
    int r = feed_finish(f->feed, NULL, NULL);
    pthread_mutex_unlock(&f->lock);
    return r;
}

static void expect_all(struct fed *f)
{
    assert_int_equal(finish(f), 0);
    assert_int_equal(f->end, 0);
    assert_true(f->n == FEED_SIZE && feed_size(f->feed) == FEED_SIZE);
    assert_memory_equal(f->got, f->bytes, FEED_SIZE);
    assert_int_equal(write_fed(f, 0, 1, NULL), -EALREADY);
    pthread_mutex_lock(&f->lock);
    assert_int_equal(feed_write(f->feed, "x", 1, FEED_SIZE, NULL, NULL), -EPIPE);
    assert_int_equal(feed_truncate(f->feed, FEED_SIZE + 1), -EALREADY);
    pthread_mutex_unlock(&f->lock);
}

struct stream {
    struct fed *f;
    uint64_t from;
};

#define STREAMS 4

static void *write_stream(void *arg)
{
    const struct stream *s = arg;
    const uint64_t piece = 100003;
    for (uint64_t at = s->from; at < FEED_SIZE; at += piece * STREAMS)
        if (write_fed(s->f, at, at + piece < FEED_SIZE ? at + piece : FEED_SIZE, NULL) < 0)
            return arg;
    return NULL;
}

/* Several writers, each with every fourth piece. */
static void test_feed_streams(void **state)
{
    struct fed *f = *state;
    struct stream s[STREAMS];
    pthread_t t[STREAMS];
    for (uint64_t i = 0; i < STREAMS; i++) {
        s[i] = (struct stream){f, i * 100003};
        assert_int_equal(pthread_create(&t[i], NULL, write_stream, &s[i]), 0);
    }
    for (int i = 0; i < STREAMS; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    expect_all(f);
}

/* The reader says when it may end, and bytes that it had cannot be written again. */
static void test_feed_in_parts(void **state)
{
    struct fed *f = *state;
    assert_int_equal(finish(f), -EBADMSG);
    for (uint64_t at = 0; at < FEED_SIZE; at += FEED_SIZE / 4) {
        assert_int_equal(write_fed(f, at, at + FEED_SIZE / 4, NULL), 0);
        if (at + FEED_SIZE / 4 < FEED_SIZE)
            assert_int_equal(finish(f), -EBADMSG);
        assert_int_equal(write_fed(f, at, at + 1, NULL), -EALREADY);
    }
    expect_all(f);
}

/* What was not written reads as zeros, up to the size that was set. */
static void test_feed_holes(void **state)
{
    struct fed *f = *state;
    const uint64_t hole = 3 << 20, after = 4 << 20, end = 19 << 20;
    memset(f->bytes + hole, 0, after - hole);
    memset(f->bytes + end, 0, FEED_SIZE - end);
    assert_int_equal(write_fed(f, after, FEED_SIZE, NULL), 0);
    pthread_mutex_lock(&f->lock);
    assert_int_equal(feed_truncate(f->feed, end), 0);
    assert_int_equal(feed_truncate(f->feed, FEED_SIZE), 0);
    assert_int_equal(feed_fed(f->feed), 0);
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(write_fed(f, 0, hole, NULL), 0);
    expect_all(f);
}

static bool is_interrupted(void *ctx)
{
    (void)ctx;
    return true;
}

/* A writer that is interrupted while the ring is full has its bytes taken all the same. */
static void test_feed_interrupted(void **state)
{
    struct fed *f = *state;
    const struct tarball_reader who = {.interrupted = is_interrupted};
    hold(f, true);
    assert_int_equal(write_fed(f, 0, 15 << 20, &who), 0);
    assert_true(feed_size(f->feed) == 15 << 20);
    assert_true(feed_fed(f->feed) < 15 << 20);
    pthread_mutex_lock(&f->lock);
    assert_int_equal(feed_finish(f->feed, &who, NULL), -EINTR);
    pthread_mutex_unlock(&f->lock);
    hold(f, false);
    assert_int_equal(write_fed(f, 15 << 20, FEED_SIZE, NULL), 0);
    expect_all(f);
}

static void *cancel_soon(void *arg)
{
    struct fed *f = arg;
    usleep(20000);
    pthread_mutex_lock(&f->lock);
    feed_cancel(f->feed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void test_feed_cancelled(void **state)
{
    struct fed *f = *state;
    pthread_t t;
    hold(f, true);
    assert_int_equal(pthread_create(&t, NULL, cancel_soon, f), 0);
    assert_int_equal(write_fed(f, 0, FEED_SIZE, NULL), -EPIPE);
    pthread_join(t, NULL);
    assert_int_equal(feed_stopped(f->feed), -ECANCELED);
    hold(f, false);
    pthread_join(f->reader, NULL);
    assert_int_equal(f->end, -ECANCELED);
    pthread_mutex_lock(&f->lock);
    feed_reset(f->feed);
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(feed_open(f->feed), 0);
    f->n = 0;
    assert_int_equal(pthread_create(&f->reader, NULL, read_feed, f), 0);
    assert_int_equal(write_fed(f, 0, FEED_SIZE, NULL), 0);
    expect_all(f);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_spool),
        cmocka_unit_test(test_spool_gives_back),
        cmocka_unit_test(test_spool_fails),
        T(test_feed_streams),
        T(test_feed_in_parts),
        T(test_feed_holes),
        T(test_feed_interrupted),
        T(test_feed_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
