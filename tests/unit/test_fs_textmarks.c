/* SPDX-License-Identifier: MIT */
/* marks: how far apart they lie, and what goes when the memory is full. */
#include "fs/textmarks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define APART 1000
#define BUDGET 10000
#define MARK 100 /* bytes */

static const uint8_t one[SHA256_BYTES] = {1}, two[SHA256_BYTES] = {2};

/* A mark's bytes tell its offset. */
static void keep(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t at)
{
    char bytes[MARK] = {0};
    memcpy(bytes, &at, sizeof(at));
    textmarks_keep(m, text, at, bytes, sizeof(bytes));
}

static uint64_t before(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t off)
{
    struct buffer bytes = {0};
    uint64_t at = textmarks_before(m, text, off, &bytes), told = 0;
    assert_int_equal(bytes.n, at ? MARK : 0);
    if (at) {
        memcpy(&told, bytes.p, sizeof(told));
        assert_int_equal(told, at);
    }
    assert_int_equal(textmarks_before(m, text, off, NULL), at);
    buffer_free(&bytes);
    return at;
}

static void test_the_last_one_before(void **state)
{
    struct textmarks *m = textmarks_new(BUDGET, APART);
    (void)state;
    assert_int_equal(before(m, one, UINT64_MAX), 0);
    static const uint64_t places[] = {5000, 1000, 3000, 9000};
    for (size_t i = 0; i < 4; i++)
        keep(m, one, places[i]);
    assert_int_equal(before(m, one, 999), 0);
    assert_int_equal(before(m, one, 1000), 1000);
    assert_int_equal(before(m, one, 2999), 1000);
    assert_int_equal(before(m, one, 5001), 5000);
    assert_int_equal(before(m, one, UINT64_MAX), 9000);
    assert_int_equal(before(m, two, UINT64_MAX), 0);
    keep(m, two, 2000);
    textmarks_drop(m, one);
    textmarks_drop(m, one);
    assert_int_equal(before(m, one, UINT64_MAX), 0);
    assert_int_equal(before(m, two, UINT64_MAX), 2000);
    textmarks_free(m);
}

static void test_only_where_none_is_near(void **state)
{
    struct textmarks *m = textmarks_new(BUDGET, APART);
    (void)state;
    assert_false(textmarks_wanted(m, one, 0));
    assert_false(textmarks_wanted(m, one, 999));
    assert_true(textmarks_wanted(m, one, 1000));
    keep(m, one, 2000);
    assert_true(textmarks_wanted(m, one, 1000));
    assert_false(textmarks_wanted(m, one, 1600));
    assert_false(textmarks_wanted(m, one, 2000));
    assert_false(textmarks_wanted(m, one, 2999));
    assert_true(textmarks_wanted(m, one, 3000));
    keep(m, one, 2500);
    assert_int_equal(before(m, one, 2999), 2000);
    textmarks_free(m);
}

/* However long the text is, they fit, lie evenly, and there are not few of them. */
static void test_thinned_when_full(void **state)
{
    struct textmarks *m = textmarks_new(BUDGET, APART);
    uint64_t at, widest = 0, n = 0, last = 1000000;
    (void)state;
    for (at = 0; at <= last; at += 100)
        if (textmarks_wanted(m, one, at))
            keep(m, one, at);
    for (at = last; (at = before(m, one, at)) > 0; at--) {
        widest = last - at > widest ? last - at : widest;
        last = at;
        n++;
    }
    assert_in_range(n, BUDGET / (MARK + 64) / 3, BUDGET / MARK);
    assert_true(widest <= 2 * 1000000 / n);
    textmarks_free(m);
}

static void test_texts_used_long_ago_go_first(void **state)
{
    struct textmarks *m = textmarks_new(BUDGET, APART);
    (void)state;
    keep(m, one, 1000);
    keep(m, two, 1000);
    assert_int_equal(before(m, one, 1000), 1000); /* used */
    for (uint8_t i = 3; i < 200; i++) {
        const uint8_t text[SHA256_BYTES] = {i};
        keep(m, text, 1000);
        assert_int_equal(before(m, text, 1000), 1000);
        assert_int_equal(before(m, one, 1000), 1000);
    }
    assert_int_equal(before(m, two, 1000), 0);
    textmarks_free(m);
}

/* It is not kept, nothing else is lost for it but room, and it is asked for ever less often. */
static void test_a_mark_beyond_the_budget(void **state)
{
    static char large[2 * BUDGET];
    struct textmarks *m = textmarks_new(BUDGET, APART);
    (void)state;
    size_t asked = 0;
    keep(m, two, 1000);
    for (uint64_t at = 0; at < 1000000; at += 100) {
        if (!textmarks_wanted(m, one, at))
            continue;
        textmarks_keep(m, one, at, large, sizeof(large));
        asked++;
    }
    assert_in_range(asked, 5, 20);
    assert_int_equal(before(m, one, UINT64_MAX), 0);
    assert_int_equal(before(m, two, 1000), 1000);
    textmarks_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_one_before),
        cmocka_unit_test(test_only_where_none_is_near),
        cmocka_unit_test(test_thinned_when_full),
        cmocka_unit_test(test_texts_used_long_ago_go_first),
        cmocka_unit_test(test_a_mark_beyond_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
