/* SPDX-License-Identifier: MIT */
/* archive_mark: the mark of a run, written, read and mistrusted; whose an object is, by its name. */
#include "mount-helper/nightly/archive_mark.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STORE "0123456789abcdef0123456789abcdef"
#define RUN "20160611T235500Z"

static void test_round_trip(void **state)
{
    char *names[] = {(char *)"meta.00", (char *)"sensu_db.default.00002.00", (char *)"left_out-01"};
    const struct mark m = {STORE, RUN, (char *)"db1", names, 3};
    struct mark again;
    struct buffer text = {0};
    struct err e = {""};
    (void)state;
    assert_int_equal(mark_text(&m, &text), 0);
    assert_int_equal(mark_read(text.p, text.n, &again, &e), 0);
    assert_string_equal(again.store, STORE);
    assert_string_equal(again.run, RUN);
    assert_string_equal(again.host, "db1");
    assert_int_equal(again.nnames, 3);
    assert_string_equal(again.names[1], names[1]);
    mark_clear(&again);
    /* What is cut off is no mark. */
    for (size_t n = 0; n + 2 < text.n; n++)
        assert_int_equal(mark_read(text.p, n, &again, &e), -EBADMSG);
    assert_string_equal(e.text, "it is not the mark of a run");
    buffer_free(&text);
}

static int read_with(const char *store, const char *run, const char *names)
{
    struct mark m;
    char text[400];
    int n = snprintf(text, sizeof(text),
                     "{\"version\":1,\"store\":\"%s\",\"host\":\"h\",\"run\":\"%s\",\"names\":%s}",
                     store, run, names);
    int r = mark_read(text, (size_t)n, &m, NULL);
    if (r == 0)
        mark_clear(&m);
    return r;
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_with(STORE, RUN, "[]"), 0);
    assert_int_equal(read_with("0123", RUN, "[]"), -EBADMSG);
    assert_int_equal(read_with(STORE, "2016-06-11T23:55", "[]"), -EBADMSG);
    assert_int_equal(read_with(STORE, RUN, "{}"), -EBADMSG);
    assert_int_equal(read_with(STORE, RUN, "[1]"), -EBADMSG);
    /* Names of nothing but legacy sets: no path, no receipt, no tar of another run. */
    assert_int_equal(read_with(STORE, RUN, "[\"../meta.00\"]"), -EBADMSG);
    assert_int_equal(read_with(STORE, RUN, "[\"01234567-" RUN ".json\"]"), -EBADMSG);
    assert_int_equal(read_with(STORE, RUN, "[\"01234567-" RUN "-full.tar\"]"), -EBADMSG);
    assert_int_equal(read_with(STORE, RUN, "[\"meta.00\\u0000x\"]"), -EBADMSG);
}

static void test_owner(void **state)
{
    char run[RECEIPT_RUN + 1];
    (void)state;
    assert_true(mark_owner("01234567-" RUN "-full.tar.000", STORE, run));
    assert_string_equal(run, RUN);
    assert_true(mark_owner("01234567-" RUN "-full-2.tar", STORE, run));
    assert_true(mark_owner("01234567-" RUN MARK_ENDING, STORE, run));
    assert_false(mark_owner("89abcdef-" RUN "-full.tar", STORE, run));
    assert_false(mark_owner("01234567-" RUN, STORE, run));
    assert_false(mark_owner("01234567-" RUN "x.tar", STORE, run));
    assert_false(mark_owner("meta.00", STORE, run));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
