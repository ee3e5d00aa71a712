/* SPDX-License-Identifier: MIT */
/* gotext and shortest: numbers, times and strings as Go writes them. */
#include "store/export/gotext.h"
#include "store/export/shortest.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static struct buffer out;
static struct gotext_day day;
static size_t counted;

/* What a call appends, which is as long as it is by counting. */
#define text(call) (count(), (call), counted = out.n, print(), (call), ended())

static void count(void)
{
    out.n = 0;
    out.counts = true;
}

static void print(void)
{
    out.n = 0;
    out.counts = false;
}

static const char *ended(void)
{
    assert_int_equal(out.n, counted);
    buffer_add(&out, "", 1);
    assert_false(out.failed);
    return out.p;
}

static int teardown(void **state)
{
    (void)state;
    buffer_free(&out);
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

/* d * 10^exponent, of which d does not end with 0, as text. */
static const char *spelled(uint64_t d, int exponent, bool exponents)
{
    static char s[400], zeros[400];
    char digits[24];
    int n = sprintf(digits, "%" PRIu64, d), point = n + exponent;
    memset(zeros, '0', sizeof(zeros));
    if (exponents && (point < -5 || point > 21))
        sprintf(s, "%c%s%se%+d", digits[0], n > 1 ? "." : "", digits + 1, point - 1);
    else if (point <= 0)
        sprintf(s, "0.%.*s%s", -point, zeros, digits);
    else if (point >= n)
        sprintf(s, "%s%.*s", digits, point - n, zeros);
    else
        sprintf(s, "%.*s.%s", point, digits, digits + point);
    return s;
}

static double read_back(uint64_t d, int exponent)
{
    char s[64];
    snprintf(s, sizeof(s), "%" PRIu64 "e%d", d, exponent);
    return strtod(s, NULL);
}

/* The n digits nearest to v. */
static uint64_t rounded(double v, int n, int *exponent)
{
    char s[64];
    snprintf(s, sizeof(s), "%.*e", n - 1, v);
    char *e = strchr(s, 'e');
    *exponent = (int)strtol(e + 1, NULL, 10) - n + 1;
    if (n > 1)
        memmove(s + 1, s + 2, (size_t)(e - s) - 1);
    return strtoull(s, NULL, 10);
}

/* By trying. Any decimal of 15 digits survives a float, unless that is denormal. Below a power of
 * two the floats lie closer, so that the nearest decimal may read as another one while that above
 * it, farther away, does not. */
static uint64_t tried(double v, int *exponent)
{
    uint64_t d;
    for (int n = v < 2.2250738585072014e-308 ? 1 : 15;; n++) {
        d = rounded(v, n, exponent);
        if (n == 17 || read_back(d, *exponent) == v || read_back(++d, *exponent) == v)
            break;
    }
    for (; d % 10 == 0; d /= 10)
        ++*exponent;
    return d;
}

static void check_digits(double v, uint64_t d, int exponent)
{
    int e;
    assert_int_equal(shortest_decimal(v, &e), d);
    assert_int_equal(e, exponent);
    assert_string_equal(text(gotext_float_json(&out, v)), spelled(d, exponent, true));
    assert_string_equal(text(gotext_float_plain(&out, v)), spelled(d, exponent, false));
}

static void check_float(double v)
{
    int exponent;
    if (!isfinite(v) || v == 0)
        return;
    v = fabs(v);
    uint64_t d = tried(v, &exponent);
    check_digits(v, d, exponent);
}

static double with_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void check_with_neighbours(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    for (int64_t i = -2; i <= 2; i++)
        check_float(with_bits(bits + (uint64_t)i));
}

static uint64_t next_random(void)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void test_shortest_floats(void **state)
{
    (void)state;
    for (int exponent = -1072; exponent < 1024; exponent++)
        check_with_neighbours(ldexp(1, exponent));
    for (int exponent = -322; exponent <= 308; exponent++)
        check_with_neighbours(read_back(1, exponent));
    for (uint64_t bits = 1; bits < 2000; bits++)
        check_float(with_bits(bits));
    for (int i = 0; i < 40000; i++) {
        uint64_t bits = next_random();
        check_float(with_bits(bits));
        check_float(with_bits(bits & ~UINT64_C(0x7ff0000000000000)));
        check_float((double)(bits >> 11) / 9007199254740992.0 * 100);
        check_float((double)(int64_t)(bits >> bits % 64) / 1000);
    }
}

/* No two decimals of 15 digits read as the same float. */
static void test_short_decimals(void **state)
{
    (void)state;
    double power = 1;
    for (int places = 0; places <= 22; places++, power *= 10)
        for (int i = 0; i < 40000; i++) {
            uint64_t d = next_random() % (UINT64_C(1000000000000000) >> i % 50);
            if (d % 10 != 0)
                check_digits((double)d / power, d, -places);
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
        assert_string_equal(text(gotext_time(&out, &day, known[i].ns)), known[i].text);
}

static void test_many_integers(void **state)
{
    (void)state;
    char s[32];
    for (int i = 0; i < 200000; i++) {
        int64_t v = (int64_t)next_random() >> i % 64;
        snprintf(s, sizeof(s), "%" PRId64, v);
        assert_string_equal(text(gotext_integer(&out, v)), s);
    }
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10)
        for (uint64_t v = power - 1; v <= power + 1; v++) {
            snprintf(s, sizeof(s), "%" PRIu64, v);
            assert_string_equal(text(gotext_unsigned(&out, v)), s);
        }
}

static void check_time(int64_t ns)
{
    char s[64];
    struct tm tm;
    time_t t = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
    assert_non_null(gmtime_r(&t, &tm));
    size_t n = strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%S", &tm);
    int fraction = (int)((ns % 1000000000 + 1000000000) % 1000000000);
    if (fraction) {
        n += (size_t)sprintf(s + n, ".%09d", fraction);
        while (s[n - 1] == '0')
            n--;
    }
    memcpy(s + n, "Z", 2);
    assert_string_equal(text(gotext_time(&out, &day, ns)), s);
}

/* The day that was written last is remembered: within it, over its ends, forwards, backwards. */
static void test_many_times(void **state)
{
    (void)state;
    static const int64_t steps[] = {1, 1000, 50000000, 1000000000, 3600000000000, 86400000000000};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        for (int64_t j = -2000; j < 2000; j++) {
            check_time(1709164800000000000 + j * steps[i]);
            check_time(-j * steps[i]);
        }
    for (int i = 0; i < 50000; i++)
        check_time((int64_t)next_random());
    check_time(INT64_MIN);
    check_time(INT64_MAX);
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

/* A byte to escape, wherever it is. */
static void test_places_in_strings(void **state)
{
    (void)state;
    static const struct {
        char byte;
        const char *json, *csv;
    } known[] = {{'"', "\\\"", "\"\""},
                 {'\n', "\\n", "\n"},
                 {',', ",", ","},
                 {'\xff', "\\ufffd", NULL},
                 {'<', "\\u003c", NULL}};
    char s[40], want[64];
    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
        for (size_t n = 1; n < sizeof(s); n++)
            for (size_t i = 0; i < n; i++) {
                int before = (int)i, after = (int)(n - i - 1);
                memset(s, 'x', sizeof(s));
                sprintf(want, "\"%.*s%s%.*s\"", before, s, known[k].json, after, s);
                char plain[40];
                memcpy(plain, s, n);
                plain[i] = known[k].byte;
                assert_string_equal(text(gotext_string_json(&out, plain, n)), want);
                if (known[k].csv)
                    sprintf(want, "\"%.*s%s%.*s\"", before, s, known[k].csv, after, s);
                else
                    sprintf(want, "%.*s", (int)n, plain);
                assert_string_equal(text(gotext_string_csv(&out, plain, n)), want);
            }
}

static void test_growth(void **state)
{
    (void)state;
    char large[100000];
    memset(large, 'x', sizeof(large));
    out.n = 0;
    for (int i = 0; i < 5000; i++)
        buffer_string(&out, "0123456789");
    buffer_add(&out, large, sizeof(large));
    assert_int_equal(out.n, 50000 + sizeof(large));
    assert_memory_equal(out.p + 49990, "0123456789xxx", 13);
    assert_false(out.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_floats),   cmocka_unit_test(test_shortest_floats),
        cmocka_unit_test(test_short_decimals), cmocka_unit_test(test_integers_and_times),
        cmocka_unit_test(test_many_integers),  cmocka_unit_test(test_many_times),
        cmocka_unit_test(test_strings),        cmocka_unit_test(test_places_in_strings),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
