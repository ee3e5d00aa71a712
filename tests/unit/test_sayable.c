/* SPDX-License-Identifier: MIT */
/* sayable, gaps, fieldsidx: names that line protocol can express, words about what is left out, and
 * the fields that influxd knows. What /write makes of names is tried in the tree tests. */
#include "store/export/sayable.h"
#include "store/influx/fieldsidx.h"
#include "store/points/gaps.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text)                                                                                    \
    (struct slice)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static void test_series(void **state)
{
    static const struct slice good[] = {
        S("m"),      S("m,t=1"),      S("a\\ b\\,c,k\\=1=v\\,2"), S("m#x"),     S("\\ m"),
        S("m,#t=#"), S("a\\b,t=\\x"), S("m,\"t=\"x\""),           S("m\r,t=1"), S("m,a=1,a.=2"),
        S("=,\\==1")};
    static const struct slice bad[] = {
        S(""),          S(",t=1"),    S("#"),          S("# m,t=1"), S("\tm"),     S("\0m"),
        S(" m"),        S("m\n"),     S("m,t=a\nb"),   S("m\\"),     S("m,t=1\\"), S("m\\\\ x"),
        S("m\\\\\\,x"), S("m\\=x"),   S("m\\\"x"),     S("m,t="),    S("m,=1"),    S("m,t=a=b"),
        S("m,time=1"),  S("m,t=a b"), S("m,t\\\\=1,"), S("m,t"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (sayable_series(good[i]))
            fail_msg("%.*s: %s", (int)good[i].n, good[i].p, sayable_series(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (!sayable_series(bad[i]))
            fail_msg("%.*s", (int)bad[i].n, bad[i].p);
    assert_null(sayable_measurement(S("m,t=a\nb")));
    assert_non_null(sayable_measurement(S("#,t=1")));
}

static void test_fields(void **state)
{
    static const struct slice good[] = {S("f"),     S(" f"),   S("a,b=c\"d"), S("#"),
                                        S("f\r"),   S("a\\b"), S("a\\\\ b"),  S("a\\\"b"),
                                        S("times"), S("f\t")};
    static const struct slice bad[] = {S("time"),  S("\tf"),   S("\0f"),   S("a\nb"), S("f\\"),
                                       S("f\\\\"), S("a\\ b"), S("a\\,b"), S("a\\=b")};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (sayable_field(good[i]))
            fail_msg("%.*s: %s", (int)good[i].n, good[i].p, sayable_field(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (!sayable_field(bad[i]))
            fail_msg("%.*s", (int)bad[i].n, bad[i].p);
}

static char said[1000];

static void say(void *ctx, const char *words)
{
    (void)ctx;
    snprintf(said, sizeof(said), "%s", words);
}

static void test_words(void **state)
{
    const struct gaps none = {.say = say}, damage = {.damage = true, .say = say};
    struct err e = {"file: damaged"};
    char name[GAPS_NAME], times[GAPS_TIMES], *longer = test_malloc(1000);
    (void)state;
    gaps_name(S("a\0b\nc\x7f%"), name);
    assert_string_equal(name, "a%00b%0Ac%7F%");
    memset(longer, '\n', 1000);
    gaps_name((struct slice){longer, 1000}, name);
    assert_true(strlen(name) < GAPS_NAME);
    test_free(longer);
    gaps_times(INT64_MIN, INT64_MAX, times);
    assert_string_equal(times,
                        "from 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z");
    assert_int_equal(gaps_damage(NULL, -EBADMSG, &e, "x"), -EBADMSG);
    assert_int_equal(gaps_damage(&none, -EBADMSG, &e, "x"), -EBADMSG);
    assert_int_equal(gaps_damage(&damage, -EIO, &e, "x"), -EIO);
    assert_string_equal(said, "");
    assert_int_equal(gaps_damage(&damage, -EBADMSG, &e, "left out: %d", 7), 0);
    assert_string_equal(said, "file: damaged: left out: 7");
}

static char seen[1000];

static int on_field(void *ctx, struct slice m, struct slice name, enum value_type type)
{
    (void)ctx;
    size_t n = strlen(seen);
    snprintf(seen + n, sizeof(seen) - n, "%.*s.%.*s=%d ", (int)m.n, m.p, (int)name.n, name.p, type);
    return 0;
}

static int on_drop(void *ctx, struct slice m)
{
    (void)ctx;
    size_t n = strlen(seen);
    snprintf(seen + n, sizeof(seen) - n, "-%.*s ", (int)m.n, m.p);
    return 0;
}

static const struct fieldsidx_visitor visitor = {on_field, on_drop, NULL};

static void test_index(void **state)
{
    static const char whole[] = "\x00\x06\x01\x03"
                                "\x0a\x11\x0a\x01m\x12\x05\x0a\x01"
                                "f\x10\x01\x12\x05\x0a\x01"
                                "u\x10\x09";
    (void)state;
    seen[0] = 0;
    assert_int_equal(fieldsidx_read(whole, sizeof(whole) - 1, &visitor), 0);
    assert_string_equal(seen, "m.f=0 m.u=4 ");
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        int r = fieldsidx_read(whole, n, &visitor);
        assert_true(n == 4 ? r == 0 : r == -EBADMSG);
    }
}

static void test_changes(void **state)
{
    /* As 1.12.4 has written it; and a measurement dropped, and what was torn. */
    static const char changes[] = "\x0c\0\0\0\0\0\0\0\x0a\x0a\x0a\x01m\x12\x05\x0a\x01x\x10\x02"
                                  "\x07\0\0\0\0\0\0\0\x0a\x05\x0a\x01m\x18\x01"
                                  "\x0c\0\0\0\0\0\0\0\x0a\x0a\x0a\x01m";
    (void)state;
    seen[0] = 0;
    assert_int_equal(fieldsidx_changes(changes, sizeof(changes) - 1, &visitor), 0);
    assert_string_equal(seen, "m.x=1 -m ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series), cmocka_unit_test(test_fields),  cmocka_unit_test(test_words),
        cmocka_unit_test(test_index),  cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
