/* SPDX-License-Identifier: MIT */
/* buffer: what is appended, and that it says when there is no memory. */
#include "store/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* AddressSanitizer, if it is there, lets malloc fail as usual. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_counting(void **state)
{
    (void)state;
    struct buffer b = {.counts = true};
    buffer_add(&b, "some", 4);
    buffer_string(&b, " bytes");
    buffer_add(&b, NULL, 0);
    assert_int_equal(b.n, 10);
    assert_null(b.p);
    buffer_free(&b);
    assert_false(b.counts);
}

static void test_pieces(void **state)
{
    (void)state;
    struct buffer b = {0};
    buffer_add(&b, NULL, 0);
    assert_non_null(b.p);
    assert_int_equal(b.n, 0);
    for (size_t n = 1; n < 300; n++) {
        char *to = buffer_reserve(&b, n);
        memset(to, (int)(n % 251), n);
        b.n += n;
    }
    buffer_string(&b, "end");
    buffer_add(&b, NULL, 0);
    const char *p = b.p;
    for (size_t n = 1; n < 300; n++)
        for (size_t i = 0; i < n; i++)
            assert_int_equal(*(const uint8_t *)p++, n % 251);
    assert_memory_equal(p, "end", 3);
    assert_int_equal(p + 3 - b.p, b.n);
    assert_true(b.n < b.cap);
    assert_false(b.failed);
    buffer_free(&b);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct buffer b = {0};
    buffer_string(&b, "kept");
    assert_null(buffer_reserve(&b, (size_t)1 << 62));
    assert_true(b.failed);
    assert_int_equal(b.n, 4);
    assert_memory_equal(b.p, "kept", 4);
    buffer_string(&b, "more");
    assert_true(b.failed);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
