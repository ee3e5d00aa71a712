/* SPDX-License-Identifier: MIT */
/* The buffers of a file that is being written: the ring for bytes in order, the spool for others.
 * Each is driven at random beside a model of it. */
#include "tests/unit/snap.h"

#include "store/restore/ring.h"
#include "store/restore/spool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RING_CAP 61
#define SPOOL_SIZE 4000

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

static void open_spooled(struct spooled *s)
{
    memset(s, 0, sizeof(*s));
    spool_init(&s->spool);
    s->spool.fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(s->spool.fd >= 0);
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
    assert_int_equal(spool_put(&s->spool, buf, n, off), 0);
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
        assert_int_equal(spool_take(&s->spool, first - 1, buf, max), 0);
    while (n < max && first + n < SPOOL_SIZE && s->there[first + n])
        n++;
    assert_int_equal(spool_take(&s->spool, first, buf, max), n);
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
    open_spooled(&s);
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
    open_spooled(&s);
    memset(piece, 'x', sizeof(piece));
    for (uint64_t off = 0; off < 32 * sizeof(piece); off += sizeof(piece))
        assert_int_equal(spool_put(&s.spool, piece, sizeof(piece), off), 0);
    for (uint64_t off = 0; off < 32 * sizeof(piece); off += sizeof(piece))
        assert_int_equal(spool_take(&s.spool, off, piece, sizeof(piece)), sizeof(piece));
    assert_int_equal(fstat(s.spool.fd, &st), 0);
    assert_true(st.st_blocks * 512 <= (blkcnt_t)sizeof(piece));
    spool_free(&s.spool);
}

/* A disk that is full. */
static void test_spool_fails(void **state)
{
    struct spooled s;
    (void)state;
    open_spooled(&s);
    close(s.spool.fd);
    s.spool.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    assert_true(s.spool.fd >= 0);
    assert_int_equal(spool_put(&s.spool, "x", 1, 5), -ENOSPC);
    assert_true(spool_next(&s.spool, 0) == UINT64_MAX);
    spool_free(&s.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_spool),
        cmocka_unit_test(test_spool_gives_back),
        cmocka_unit_test(test_spool_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
