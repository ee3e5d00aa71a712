/* SPDX-License-Identifier: MIT */
/* inorder: what readers of a text are about to read; and the tar, which has that fetched across the
 * boundaries of its members. */
#include "store/snapshot/inorder.h"
#include "store/snapshot/tarball.h"
#include "tests/unit/counted_capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

/* Reads in pieces of n bytes up to end; returns how much was told of, each byte once, in order and
 * after what is read, and notes how far that went beyond. */
static uint64_t go_through(struct inorder *o, size_t n, uint64_t off, uint64_t end, uint64_t *far)
{
    uint64_t told = off + n, sum = 0, from, to;
    for (; off < end; off += n) {
        if (!inorder_read(o, n, off, &from, &to))
            continue;
        assert_true(from >= told && from >= off + n && to > from);
        sum += to - from;
        told = to;
        *far = to - off - n > *far ? to - off - n : *far;
    }
    return sum;
}

static void a_reader_in_order(void **state)
{
    (void)state;
    static const size_t pieces[] = {512, 4096, 131072, MIB, 3 * MIB, 20 * MIB};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct inorder o;
        uint64_t far = 0, start = 12345, end = start + 100 * MIB;
        inorder_init(&o);
        uint64_t told = go_through(&o, pieces[i], start, end, &far);
        assert_true(far <= INORDER_AHEAD && far >= INORDER_AHEAD / 2);
        if (pieces[i] < INORDER_AHEAD) /* all of it, but for the first steps */
            assert_in_range(told, 90 * MIB, 110 * MIB);
        inorder_clear(&o);
    }
}

/* Trust grows: who has read little is not to have much fetched for nothing. */
static void trust_grows(void **state)
{
    (void)state;
    struct inorder o;
    uint64_t from, to;
    inorder_init(&o);
    assert_false(inorder_read(&o, 1000, 0, &from, &to));
    assert_true(inorder_read(&o, 1000, 1000, &from, &to));
    assert_int_equal(from, 2000);
    assert_int_equal(to, 4000);
    assert_true(inorder_read(&o, 1000, 2000, &from, &to));
    assert_int_equal(from, 4000);
    assert_int_equal(to, 7000);
    assert_false(inorder_read(&o, 0, 3000, &from, &to));
    inorder_clear(&o);
}

static void who_jumps_is_told_nothing(void **state)
{
    (void)state;
    struct inorder o;
    uint64_t from, to;
    unsigned seed = 1;
    inorder_init(&o);
    for (int i = 0; i < 1000; i++)
        assert_false(inorder_read(&o, 100, 200 * (uint64_t)(unsigned)rand_r(&seed), &from, &to));
    for (uint64_t off = 100000; off > 0; off -= 100) /* backwards */
        assert_false(inorder_read(&o, 100, off, &from, &to));
    inorder_clear(&o);
}

/* Several go through different places at once, as rclone does, and each is told of its own. */
static void several_readers(void **state)
{
    (void)state;
    struct inorder o;
    uint64_t from, to, told[INORDER_READERS] = {0};
    inorder_init(&o);
    for (uint64_t step = 0; step < 50; step++)
        for (uint64_t r = 0; r < INORDER_READERS; r++) {
            const uint64_t at = r * 1000 * MIB + step * MIB;
            if (!inorder_read(&o, MIB, at, &from, &to))
                continue;
            assert_true(from >= at + MIB && to <= at + MIB + INORDER_AHEAD);
            told[r] += to - from;
        }
    for (size_t r = 0; r < INORDER_READERS; r++)
        assert_in_range(told[r], 45 * MIB, 60 * MIB);
    inorder_clear(&o);
}

struct tar {
    struct hasher *hasher;
    struct counted *k;
    struct tarball *t;
};

static struct tar tar_of(struct counted *k)
{
    struct tar x = {.k = k};
    assert_int_equal(hasher_new(&x.hasher), 0);
    assert_int_equal(tarball_new(x.hasher, &k->c, &x.t), 0);
    return x;
}

static void tar_end(struct tar *x)
{
    tarball_unref(x->t);
    hasher_free(x->hasher);
}

static void tar_read(struct tar *x, void *buf, size_t n, uint64_t off)
{
    struct err e = {0};
    assert_int_equal(tarball_read(x->t, buf, n, off, NULL, &e), n);
}

/* Two pieces into the tar, the files after the first are on their way; and at its end each was told of,
 * no byte twice, and never more than 8 MiB that had not been read. */
static void across_members(void **state)
{
    (void)state;
    static char buf[100000];
    struct counted *k = counted_new(400, (const uint64_t[]){60000}, 1);
    memset(k->have, true, sizeof(k->have)); /* nothing is to be hashed */
    struct tar x = tar_of(k);
    const uint64_t end = tarball_size(x.t) - 200000;
    tar_read(&x, buf, sizeof(buf), 0);
    assert_int_equal(k->last_advised, 0);
    tar_read(&x, buf, sizeof(buf), sizeof(buf));
    assert_in_range(k->last_advised, 3, 6);
    for (uint64_t off = 2 * sizeof(buf); off < end; off += sizeof(buf))
        tar_read(&x, buf, sizeof(buf), off);
    for (size_t i = 8; i < 400; i++)
        assert_int_equal(k->advised[i], 60000);
    assert_in_range(k->far, 4 * MIB, INORDER_AHEAD + sizeof(buf));
    tar_end(&x);
}

/* Parts of large files; a header or padding alone is no part of any. */
static void within_members(void **state)
{
    (void)state;
    static char buf[MIB];
    const uint64_t sizes[] = {5 * MIB + 1, 0, 1, 513, 20 * MIB};
    struct counted *k = counted_new(5, sizes, 5);
    memset(k->have, true, sizeof(k->have));
    struct tar x = tar_of(k);
    for (uint64_t off = 0; off < 24 * MIB; off += MIB)
        tar_read(&x, buf, MIB, off);
    assert_in_range(k->advised[0], 3 * MIB, 5 * MIB + 1);
    assert_int_equal(k->advised[1], 0);
    assert_int_equal(k->advised[2], 1);
    assert_int_equal(k->advised[3], 513);
    assert_int_equal(k->advised[4], 20 * MIB);
    tar_end(&x);
}

static void who_looks_at_the_end(void **state)
{
    (void)state;
    static char buf[100000];
    struct counted *k = counted_new(100, (const uint64_t[]){60000}, 1);
    memset(k->have, true, sizeof(k->have));
    struct tar x = tar_of(k);
    const uint64_t size = tarball_size(x.t);
    for (uint64_t back = 1; back <= 20; back++)
        tar_read(&x, buf, 512, size - 1024 * back);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(k->advised[i], 0);
    tar_end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_in_order),
        cmocka_unit_test(trust_grows),
        cmocka_unit_test(who_jumps_is_told_nothing),
        cmocka_unit_test(several_readers),
        cmocka_unit_test(across_members),
        cmocka_unit_test(within_members),
        cmocka_unit_test(who_looks_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
