/* SPDX-License-Identifier: MIT */
/* The plain bytes of a tar, out of what came: compressed or not, whole or not, or something else. */
#include "tests/unit/snap.h"

#include "store/restore/plain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int (*const filters[])(struct archive *) = {
    archive_write_add_filter_none, archive_write_add_filter_gzip, archive_write_add_filter_zstd,
    archive_write_add_filter_xz, archive_write_add_filter_lz4};
#define NFILTERS (sizeof(filters) / sizeof(*filters))

struct input {
    struct buffer bytes;
    size_t at, piece;
    size_t fail_at; /* pull fails once this much came; 0: never */
    int if_ended;   /* as it was told last */
    char *lent;
};

static ssize_t pull(void *arg, int if_ended, const void **block)
{
    struct input *in = arg;
    size_t n = in->bytes.n - in->at;
    in->if_ended = if_ended;
    free(in->lent);
    in->lent = NULL;
    if (in->fail_at && in->at >= in->fail_at)
        return -ECANCELED;
    n = n < in->piece ? n : in->piece;
    in->lent = malloc(n + !n); /* a copy, so that a look beyond it is seen */
    assert_non_null(in->lent);
    if (n)
        memcpy(in->lent, in->bytes.p + in->at, n);
    in->at += n;
    *block = in->lent;
    return (ssize_t)n;
}

/* Reads all of it, into *out where that is wanted. */
static int read_all(struct input *in, struct buffer *out, struct err *e)
{
    struct plain *p = NULL;
    const struct tar_input input = {.pull = pull, .arg = in};
    const void *block;
    ssize_t n = 0;
    e->text[0] = 0;
    in->at = 0;
    int r = plain_open(&input, "manifest", &p, e);
    while (r == 0 && (n = plain_next(p, -EBADMSG, &block, e)) > 0)
        if (out)
            buffer_add(out, block, (size_t)n);
    if (r == 0)
        r = n < 0 ? (int)n : plain_end(p, e);
    plain_close(p);
    free(in->lent);
    in->lent = NULL;
    return r;
}

static void expect(struct input *in, int code, const char *words)
{
    struct err e;
    in->piece = in->piece ? in->piece : 100;
    int r = read_all(in, NULL, &e);
    if (r != code || (words && !strstr(e.text, words)))
        fail_msg("%d (%s), not %d (%s)", r, e.text, code, words ? words : "");
}

static struct buffer small(void)
{
    const struct snap_member m[] = SNAP_MEMBERS("some text", 9, "meta one");
    return snap_build(m, SNAP_COUNT, NULL);
}

static struct input packed(size_t filter)
{
    struct buffer tar = small();
    struct input in = {.bytes = snap_compress(&tar, filters[filter])};
    buffer_free(&tar);
    return in;
}

static void test_same_bytes(void **state)
{
    struct buffer tar = small();
    (void)state;
    for (size_t i = 0; i < NFILTERS; i++) {
        struct input in = packed(i);
        for (in.piece = 1; in.piece < 2 * in.bytes.n; in.piece = in.piece * 7 + 4) {
            struct buffer out = {0};
            struct err e;
            int r = read_all(&in, &out, &e);
            if (r < 0 || out.n != tar.n || memcmp(out.p, tar.p, tar.n) != 0)
                fail_msg("filter %zu, pieces of %zu: %d (%s), %zu bytes of %zu", i, in.piece, r,
                         e.text, out.n, tar.n);
            buffer_free(&out);
        }
        buffer_free(&in.bytes);
    }
    buffer_free(&tar);
}

/* An error of the input is what comes out, wherever it strikes. */
static void test_input_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < NFILTERS; i++) {
        struct input in = packed(i);
        size_t step = in.bytes.n / 40 + 1;
        in.piece = 10;
        for (in.fail_at = 1; in.fail_at <= in.bytes.n; in.fail_at += step)
            expect(&in, -ECANCELED, NULL);
        buffer_free(&in.bytes);
    }
}

/* What the writer would be told if the input ended: as long as it may not, and when only the end
 * itself can tell. */
static void test_if_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < NFILTERS; i++) {
        struct input in = packed(i);
        in.piece = 1;
        for (in.fail_at = 1; in.fail_at < 40; in.fail_at++) {
            expect(&in, -ECANCELED, NULL);
            if (i == 0)
                assert_int_equal(in.if_ended, -EBADMSG);
            else
                assert_true(in.if_ended == -EBADMSG ||
                            (in.fail_at > 1 && in.if_ended == TAR_UNSURE));
        }
        buffer_free(&in.bytes);
    }
    struct input in = {.bytes = {.p = (char *)"#!/bin/sh", .n = 9}, .piece = 1, .fail_at = 2};
    expect(&in, -ECANCELED, NULL);
    assert_int_equal(in.if_ended, -EINVAL);
}

static void test_ends_early(void **state)
{
    (void)state;
    for (size_t i = 1; i < NFILTERS; i++) {
        struct input in = packed(i);
        size_t step = in.bytes.n / 50 + 1;
        for (in.bytes.n = in.bytes.n - 1; in.bytes.n > step; in.bytes.n -= step)
            expect(&in, -EBADMSG, "ends early");
        buffer_free(&in.bytes);
    }
    struct input in = packed(0);
    for (in.bytes.n = 1; in.bytes.n < 512; in.bytes.n += 30)
        expect(&in, -EBADMSG, "ends early");
    in.bytes.n = 0;
    expect(&in, -EINVAL, "not a snapshot: it is empty");
    buffer_free(&in.bytes);
}

/* What is no snapshot is told from one that is damaged. */
static void test_first_header(void **state)
{
    struct input in = packed(0);
    (void)state;
    in.bytes.p[300] ^= 1;
    expect(&in, -EBADMSG, "damaged: the first header");
    in.bytes.p[3] ^= 2;
    expect(&in, -EBADMSG, "damaged: the first header");
    in.bytes.p[4] ^= 4;
    expect(&in, -EINVAL, "not a tar");
    struct buffer z = snap_compress(&in.bytes, archive_write_add_filter_gzip);
    struct input compressed = {.bytes = z};
    expect(&compressed, -EINVAL, "what is compressed in it is not a tar");
    buffer_free(&z);
    buffer_free(&in.bytes);
    in.bytes = snap_build(NULL, 0, &(struct snap_options){.first = "other"});
    expect(&in, -EINVAL, "its first member is not");
    buffer_free(&in.bytes);
}

static void test_not_one_layer(void **state)
{
    (void)state;
    for (size_t i = 1; i < NFILTERS; i++) {
        struct input in = packed(i);
        struct input twice = {.bytes = snap_compress(&in.bytes, filters[i])};
        expect(&twice, -EINVAL, "compressed twice");
        buffer_free(&twice.bytes);
        buffer_add(&in.bytes, "something else", 14);
        expect(&in, -EBADMSG, NULL);
        buffer_free(&in.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),   cmocka_unit_test(test_input_fails),
        cmocka_unit_test(test_if_ended),     cmocka_unit_test(test_ends_early),
        cmocka_unit_test(test_first_header), cmocka_unit_test(test_not_one_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
