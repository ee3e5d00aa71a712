/* SPDX-License-Identifier: MIT */
/* cqrename: continuous queries of a database that gets another name; and words of InfluxQL. */
#include "store/influx/cqrename.h"
#include "store/influx/influxql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "CREATE CONTINUOUS QUERY q ON "

static void becomes(const char *text, const char *from, const char *to, const char *expected)
{
    struct buffer out = {0};
    struct err why = {""};
    int r = cqrename(text, from, to, &out, &why);
    buffer_add(&out, "", 1);
    if (r != 1 || strcmp(out.p, expected) != 0)
        fail_msg("%s\nbecame %d %s (%s)\ninstead of %s", text, r, out.p, why.text, expected);
    buffer_free(&out);
}

static void refused(const char *text, const char *reason)
{
    struct buffer out = {0};
    struct err why = {""};
    int r = cqrename(text, "foo", "bar", &out, &why);
    if (r != 0 || !strstr(why.text, reason))
        fail_msg("%s\nwas taken: %d (%s)", text, r, why.text);
    buffer_free(&out);
}

static void test_names(void **state)
{
    (void)state;
    becomes(HEAD "foo BEGIN SELECT mean(v) INTO foo.rp.m FROM foo.rp.n GROUP BY time(5m) END",
            "foo", "bar",
            HEAD "\"bar\" BEGIN SELECT mean(v) INTO \"bar\".rp.m FROM \"bar\".rp.n "
                 "GROUP BY time(5m) END");
    becomes(HEAD "\"foo\" BEGIN SELECT mean(v) INTO \"foo\".\"rp\".\"m\" FROM \"foo\"..\"n\" END",
            "foo", "b\"a\\r",
            HEAD "\"b\\\"a\\\\r\" BEGIN SELECT mean(v) INTO \"b\\\"a\\\\r\".\"rp\".\"m\" FROM "
                 "\"b\\\"a\\\\r\"..\"n\" END");
    /* The policy, the measurement and the field of that name stay. */
    becomes(HEAD
            "foo BEGIN SELECT mean(foo) AS foo INTO foo.foo FROM foo, foo.foo, foo.foo.foo END",
            "foo", "bar",
            HEAD "\"bar\" BEGIN SELECT mean(foo) AS foo INTO foo.foo FROM foo, foo.foo, "
                 "\"bar\".foo.foo END");
    becomes("create continuous query foo on foo resample every 1h for 2h begin select mean(v) into "
            "m from foo.\"a b\"./x\\/y FROM foo.a.b/ where t = 'foo.a.b' end",
            "foo", "bar",
            "create continuous query foo on \"bar\" resample every 1h for 2h begin select mean(v) "
            "into m from \"bar\".\"a b\"./x\\/y FROM foo.a.b/ where t = 'foo.a.b' end");
    becomes(HEAD "foo BEGIN SELECT * INTO foo..:MEASUREMENT FROM foo../.*/, foo./x/ GROUP BY * END",
            "foo", "bar",
            HEAD "\"bar\" BEGIN SELECT * INTO \"bar\"..:MEASUREMENT FROM \"bar\"../.*/, foo./x/ "
                 "GROUP BY * END");
    becomes(HEAD "\"a\\\"b\" BEGIN SELECT v INTO \"a\\\"b\".r.m FROM c.r.m END", "a\"b", "x",
            HEAD "\"x\" BEGIN SELECT v INTO \"x\".r.m FROM c.r.m END");
}

static void test_nested(void **state)
{
    (void)state;
    becomes(HEAD "foo BEGIN SELECT max(x) INTO foo.r.m FROM (SELECT mean(v) AS x FROM foo.r.a, "
                 "foo.r.b WHERE y > 1 GROUP BY z, foo), foo.r.c GROUP BY foo END",
            "foo", "bar",
            HEAD "\"bar\" BEGIN SELECT max(x) INTO \"bar\".r.m FROM (SELECT mean(v) AS x FROM "
                 "\"bar\".r.a, \"bar\".r.b WHERE y > 1 GROUP BY z, foo), \"bar\".r.c GROUP BY foo "
                 "END");
    /* Comments and texts may say anything; a slash may divide. */
    becomes(HEAD "foo /* FROM foo.r.m */ BEGIN -- INTO other.r.m '\n"
                 "SELECT a / b / c, /x, FROM foo.a.b/ INTO foo.r.m FROM foo.r.n WHERE a =~ "
                 "/FROM 'foo/ AND b = 'it\\'s FROM foo.r.x' END",
            "foo", "bar",
            HEAD "\"bar\" /* FROM foo.r.m */ BEGIN -- INTO other.r.m '\n"
                 "SELECT a / b / c, /x, FROM foo.a.b/ INTO \"bar\".r.m FROM \"bar\".r.n WHERE a =~ "
                 "/FROM 'foo/ AND b = 'it\\'s FROM foo.r.x' END");
    becomes(HEAD
            "foo BEGIN SELECT m.from, \"into\" INTO foo.\"from\".m FROM foo.\"into\".\"on\" END",
            "foo", "bar",
            HEAD "\"bar\" BEGIN SELECT m.from, \"into\" INTO \"bar\".\"from\".m FROM "
                 "\"bar\".\"into\".\"on\" END");
}

static void test_refused(void **state)
{
    (void)state;
    refused(HEAD "foo BEGIN SELECT mean(v) INTO other.rp.m FROM foo.rp.n END",
            "it writes into the database other");
    refused(HEAD "foo BEGIN SELECT mean(v) INTO \"Foo\"..m FROM foo.rp.n END",
            "it writes into the database \"Foo\"");
    refused("SELECT mean(v) INTO foo.rp.m FROM foo.rp.n", "no continuous query");
    refused(HEAD "foo BEGIN SELECT mean(v) FROM foo.rp.n END", "no continuous query");
    refused(HEAD "foo BEGIN SELECT mean(v) INTO foo.rp.m FROM \"foo.rp.n END",
            "no continuous query");
    refused(HEAD "foo BEGIN SELECT mean(v) INTO a.b.c.d FROM foo.rp.n END", "no continuous query");
    refused(HEAD "foo BEGIN SELECT mean(v) INTO m FROM (SELECT v FROM n END",
            "no continuous query");
    refused(HEAD "foo BEGIN SELECT mean(v) INTO m FROM n) END", "no continuous query");
    refused(HEAD "foo BEGIN SELECT mean(v) INTO m FROM ,", "no continuous query");
    refused("", "no continuous query");
}

/* Any start of a statement, and too many brackets, end without harm. */
static void test_cut_off(void **state)
{
    static const char whole[] =
        HEAD "\"foo\" BEGIN SELECT mean(v) / 2.5e3 INTO foo..m FROM (SELECT "
             "v FROM foo.r./a/ WHERE b = 'c' AND d > 5m), foo.r.n END";
    char text[sizeof(whole)], deep[400] = HEAD "foo BEGIN SELECT ";
    (void)state;
    for (size_t n = 0; n < sizeof(whole); n++) {
        struct buffer out = {0};
        struct err why = {""};
        memcpy(text, whole, n);
        text[n] = '\0';
        int r = cqrename(text, "foo", "bar", &out, &why);
        assert_true(r == 1 || (r == 0 && why.text[0]));
        buffer_free(&out);
    }
    memset(deep + strlen(deep), '(', 200);
    refused(deep, "no continuous query");
}

static void test_quoting(void **state)
{
    struct buffer out = {0};
    struct influxql_token *list = NULL;
    size_t n = 0;
    (void)state;
    influxql_put_name(&out, "a\"b\\c\nd'e");
    influxql_put_text(&out, "a\"b\\c\nd'e");
    buffer_add(&out, "", 1);
    assert_string_equal(out.p, "\"a\\\"b\\\\c\\nd'e\"'a\"b\\\\c\\nd\\'e'");
    assert_int_equal(influxql_tokens(out.p, &list, &n), 0);
    assert_int_equal(n, 2);
    assert_true(influxql_names(&list[0], "a\"b\\c\nd'e"));
    assert_false(influxql_names(&list[0], "a\"b\\c\nd'"));
    assert_false(influxql_names(&list[0], "a\"b\\c\nd'ef"));
    assert_int_equal(list[1].kind, INFLUXQL_VALUE);
    free(list);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_nested),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_quoting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
