/* SPDX-License-Identifier: MIT */
/* gotext and merge: numbers, times and strings as Go writes them, and a heap that moves as Go's. */
#include "store/export/gotext.h"
#include "store/export/merge.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct gotext out;

/* What a call appends. */
#define text(call) (out.n = 0, (call), ended())

static const char *ended(void)
{
    gotext_add(&out, "", 1);
    assert_false(out.failed);
    return out.p;
}

static int teardown(void **state)
{
    (void)state;
    gotext_free(&out);
    return 0;
}

static void test_known_floats(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *json, *plain;
    } known[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {-1.5, "-1.5", "-1.5"},
        {100, "100", "100"},
        {0.1, "0.1", "0.1"},
        {1.0 / 3, "0.3333333333333333", "0.3333333333333333"},
        {1e20, "100000000000000000000", "100000000000000000000"},
        {1e21, "1e+21", "1000000000000000000000"},
        {1.2345e22, "1.2345e+22", "12345000000000000000000"},
        {1e-6, "0.000001", "0.000001"},
        {1e-7, "1e-7", "0.0000001"},
        {1.25e-10, "1.25e-10", "0.000000000125"},
        {123456789012345680.0, "123456789012345680", "123456789012345680"},
        {9007199254740991, "9007199254740991", "9007199254740991"},
        {9007199254740993.0, "9007199254740992", "9007199254740992"},
        {5.684341886080801e-14, "5.684341886080801e-14", "0.00000000000005684341886080801"},
        {562949953421312.25, "562949953421312.2", "562949953421312.2"},
        {562949953421312.75, "562949953421312.8", "562949953421312.8"},
        {2.2250738585072014e-308, "2.2250738585072014e-308", NULL},
        {5e-324, "5e-324", NULL},
        {1.7976931348623157e308, "1.7976931348623157e+308", NULL},
        {NAN, "null", "null"},
        {-INFINITY, "null", "null"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_string_equal(text(gotext_float_json(&out, known[i].v)), known[i].json);
        if (known[i].plain)
            assert_string_equal(text(gotext_float_plain(&out, known[i].v)), known[i].plain);
    }
    assert_int_equal(strlen(text(gotext_float_plain(&out, 1.7976931348623157e308))), 309);
    assert_true(strtod(text(gotext_float_plain(&out, 5e-324)), NULL) == 5e-324);
}

/* How many digits the text has between the first and the last that are not 0. */
static int digits(const char *s)
{
    int n = 0, zeros = 0;
    for (; *s && *s != 'e'; s++)
        if (*s == '0' && n > 0)
            zeros++;
        else if (*s >= '1' && *s <= '9') {
            n += zeros + 1;
            zeros = 0;
        }
    return n;
}

static void check_shortest(double v)
{
    char shorter[64];
    const char *json = text(gotext_float_json(&out, v));
    assert_true(strtod(json, NULL) == v);
    int n = digits(json);
    if (n > 1) {
        snprintf(shorter, sizeof(shorter), "%.*e", n - 2, v);
        assert_true(strtod(shorter, NULL) != v);
    }
    assert_true(strtod(text(gotext_float_plain(&out, v)), NULL) == v);
}

/* The next lower float. */
static double below(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    bits--;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void test_shortest_floats(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 60000; i++) {
        double v;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint64_t bits = i % 4 == 0 ? x & ~UINT64_C(0x7ff0000000000000) : x;
        memcpy(&v, &bits, sizeof(v));
        if (i % 4 == 1)
            v = (double)(int64_t)(x >> 20) / 1000;
        if (isfinite(v) && v != 0)
            check_shortest(v);
    }
    for (int exponent = -1074; exponent < 1024; exponent++) {
        check_shortest(ldexp(1, exponent));
        if (exponent > -1074)
            check_shortest(below(ldexp(1, exponent)));
    }
}

static void test_integers_and_times(void **state)
{
    (void)state;
    assert_string_equal(text(gotext_integer(&out, INT64_MIN)), "-9223372036854775808");
    assert_string_equal(text(gotext_integer(&out, 0)), "0");
    assert_string_equal(text(gotext_unsigned(&out, UINT64_MAX)), "18446744073709551615");
    static const struct {
        int64_t ns;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.000000001Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {1465646400123000000, "2016-06-11T12:00:00.123Z"},
        {951782400000000000, "2000-02-29T00:00:00Z"},
        {INT64_MIN + 2, "1677-09-21T00:12:43.145224194Z"},
        {INT64_MAX - 1, "2262-04-11T23:47:16.854775806Z"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_string_equal(text(gotext_time(&out, known[i].ns)), known[i].text);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *s, *json, *csv;
    } known[] = {
        {"", "\"\"", ""},
        {"plain", "\"plain\"", "plain"},
        {"a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\"\"b\\c\""},
        {"<&>", "\"\\u003c\\u0026\\u003e\"", "<&>"},
        {"\n\r\t\b\f\1", "\"\\n\\r\\t\\u0008\\u000c\\u0001\"", "\"\n\r\t\b\f\1\""},
        {"\x7f", "\"\x7f\"", "\x7f"},
        {"\u2028\u2029", "\"\\u2028\\u2029\"", "\"\u2028\u2029\""},
        {"\xff"
         "a\xc3",
         "\"\\ufffda\\ufffd\"",
         "\xff"
         "a\xc3"},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "\xed\xa0\x80"},
        {"\xc0\x80\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"",
         "\xc0\x80\xf4\x90\x80\x80"},
        {"\ufffd\U0001f600", "\"\ufffd\U0001f600\"", "\ufffd\U0001f600"},
        {"a,b", "\"a,b\"", "\"a,b\""},
        {" a", "\" a\"", "\" a\""},
        {"a ", "\"a \"", "a "},
        {"\\.", "\"\\\\.\"", "\"\\.\""},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const char *s = known[i].s;
        assert_string_equal(text(gotext_string_json(&out, s, strlen(s))), known[i].json);
        assert_string_equal(text(gotext_string_csv(&out, s, strlen(s))), known[i].csv);
    }
}

static void test_growth(void **state)
{
    (void)state;
    char large[100000];
    memset(large, 'x', sizeof(large));
    out.n = 0;
    for (int i = 0; i < 5000; i++)
        gotext_text(&out, "0123456789");
    gotext_add(&out, large, sizeof(large));
    assert_int_equal(out.n, 50000 + sizeof(large));
    assert_memory_equal(out.p + 49990, "0123456789xxx", 13);
    assert_false(out.failed);
}

static bool less(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return *(const int *)a / 10 < *(const int *)b / 10;
}

static void test_merge(void **state)
{
    (void)state;
    int values[] = {50, 31, 52, 33, 34, 15, 56, 37};
    void *items[16];
    struct merge m = {.items = items, .less = less};
    for (size_t i = 0; i < 8; i++)
        items[m.n++] = &values[i];
    merge_init(&m);
    int before = 0;
    for (int i = 0; i < 100; i++) {
        int *p = merge_pop(&m);
        assert_true(*p / 10 >= before);
        before = *p / 10;
        if (i < 92) {
            *p += 10;
            merge_push(&m, p);
        }
    }
    assert_int_equal(m.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_floats),
        cmocka_unit_test(test_shortest_floats),
        cmocka_unit_test(test_integers_and_times),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
