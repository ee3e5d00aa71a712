/* SPDX-License-Identifier: MIT */
/* readwindow: the right bytes, in few reads forward and in small ones elsewhere. */
#include "store/influx/readwindow.h"
#include "tests/unit/chance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SIZE ((size_t)4 << 20)
#define MOST ((size_t)256 << 10)

/* A file whose bytes follow from their places, and what was read of it. */
struct counted {
    size_t reads, bytes;
    uint64_t end; /* nothing may be read from there on */
    int fail;     /* 0, or what each read returns */
};

static uint8_t byte_at(uint64_t off)
{
    return (uint8_t)(off * 2654435761u >> 13);
}

static int counted_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct counted *c = ctx;
    assert_true(off + n <= c->end);
    if (c->fail)
        return err_set(e, c->fail, "no");
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = byte_at(off + i);
    c->reads++;
    c->bytes += n;
    return 0;
}

static void get(struct readwindow *w, struct counted *c, uint64_t off, size_t n)
{
    const struct source s = {.read = counted_read, .ctx = c, .size = SIZE, .name = "file"};
    const uint8_t *p = NULL;
    assert_int_equal(readwindow_get(w, &s, off, n, c->end, &p, NULL), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], byte_at(off + i));
}

/* Also where some pieces are passed over. */
static void test_forward(void **state)
{
    (void)state;
    struct readwindow w = {.most = MOST};
    struct counted c = {.end = SIZE - 1000};
    for (uint64_t off = 0; off + 100 <= c.end; off += 100 + random64() % 3 * 50)
        get(&w, &c, off, 100);
    assert_true(c.reads < SIZE / MOST + 10);
    assert_true(w.cap <= MOST);
    readwindow_free(&w);
}

static void test_jumps(void **state)
{
    (void)state;
    struct readwindow w = {.most = MOST};
    struct counted c = {.end = SIZE};
    for (size_t i = 0; i < 1000; i++)
        get(&w, &c, (i % 2 ? SIZE / 2 : SIZE) - 8000 * (i / 2 % 200 + 1), 8000);
    assert_true(c.bytes < 1000 * (size_t)32000);
    readwindow_free(&w);
}

/* What is longer than a window comes whole; so does the end of the file. */
static void test_long(void **state)
{
    (void)state;
    struct readwindow w = {.most = 1000};
    struct counted c = {.end = SIZE};
    get(&w, &c, 10, 500000);
    get(&w, &c, SIZE - 1, 1);
    get(&w, &c, 0, SIZE);
    readwindow_free(&w);
}

static void test_failure(void **state)
{
    (void)state;
    struct readwindow w = {.most = MOST};
    struct counted c = {.end = SIZE};
    const struct source s = {.read = counted_read, .ctx = &c, .size = SIZE, .name = "file"};
    const uint8_t *p = NULL;
    get(&w, &c, 0, 100);
    c.fail = -EIO;
    assert_int_equal(readwindow_get(&w, &s, SIZE / 2, 100, SIZE, &p, NULL), -EIO);
    c.fail = 0;
    get(&w, &c, 0, 100);
    get(&w, &c, SIZE / 2, 100);
    readwindow_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
