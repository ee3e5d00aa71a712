/* SPDX-License-Identifier: MIT */
/* merge_order: names for the files of shards that become one; merge_types: a field has one type. */
#include "store/influx/names.h"
#include "store/rewrite/merge_order.h"
#include "store/rewrite/merge_types.h"
#include "tests/unit/tsm_builder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FILES 40

/* Sides as text: names without .tsm, parted by spaces, sides by a bar. Returns the new names in the
 * same form, or the error. */
static const char *order(const char *text, size_t home)
{
    static char words[2000], out[2000];
    static char names[FILES][NAME_MAX];
    const char *list[FILES];
    struct merge_side sides[8] = {{list, 0}};
    char made[FILES][MERGE_NAME];
    size_t nsides = 1, n = 0, k = 0;
    snprintf(words, sizeof(words), "%s", text);
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " ")) {
        if (*w == '|') {
            sides[nsides++] = (struct merge_side){list + n, 0};
            continue;
        }
        snprintf(names[n], sizeof(names[n]), "%s.tsm", w);
        list[n] = names[n];
        n++;
        sides[nsides - 1].n++;
    }
    int r = merge_order(sides, nsides, home, made);
    if (r < 0)
        return strerror(-r);
    *out = 0;
    for (size_t i = 0; i < nsides; i++) {
        strcat(out, i ? " |" : "");
        for (size_t j = 0; j < sides[i].n; j++, k++) {
            assert_true(name_is_tsm(made[k]));
            assert_true(k == 0 || strcmp(made[k - 1], made[k]) < 0);
            sprintf(out + strlen(out), "%s%.*s", k ? " " : "", (int)MERGE_NAME - 5, made[k]);
        }
    }
    return out;
}

static void test_home_keeps_its_names(void **unused)
{
    (void)unused;
    assert_string_equal(order("000000003-000000002 000000004-000000001 | 000000001-000000004", 0),
                        "000000003-000000002 000000004-000000001 | 000000005-000000004");
    assert_string_equal(order("000000009-000000004 | 000000003-000000002 000000007-000000001", 1),
                        "000000001-000000004 | 000000003-000000002 000000007-000000001");
    /* Both below and above. */
    assert_string_equal(order("000000002-000000001 | 000000002-000000003 | 000000002-000000001", 1),
                        "000000001-000000001 | 000000002-000000003 | 000000003-000000001");
    assert_string_equal(order("000000002-000000001 |", 0), "000000002-000000001 |");
    assert_string_equal(order("| 000000002-000000001", 0), " |000000001-000000001");
}

static void test_no_room(void **unused)
{
    (void)unused;
    assert_string_equal(
        order("000000005-000000001 000000006-000000001 | 000000002-000000004 000000009-000000001",
              1),
        "000000001-000000001 000000002-000000001 | 000000003-000000004 000000004-000000001");
    assert_string_equal(order("999999999-000000002 | 000000001-000000001", 0),
                        "000000001-000000002 | 000000002-000000001");
    assert_string_equal(order("999999998-000000002 | 000000001-000000001", 0),
                        "999999998-000000002 | 999999999-000000001");
    assert_string_equal(order("000000000-000000001 | 000000001-000000001", MERGE_NO_HOME),
                        "000000001-000000001 | 000000002-000000001");
}

static void test_generations_stay_together(void **unused)
{
    (void)unused;
    assert_string_equal(
        order("000000007-000000002 000000007-000000003 000000008-000000001 | 000000001-000000001",
              1),
        "000000001-000000002 000000001-000000003 000000002-000000001 | 000000003-000000001");
    /* Equal names: what was one file has become two. */
    assert_string_equal(order("000000007-000000002 000000007-000000002", MERGE_NO_HOME),
                        "000000001-000000002 000000002-000000002");
}

/* influxd takes numbers of any width, and sorts them as strings. */
static void test_other_widths(void **unused)
{
    (void)unused;
    assert_string_equal(order("1-1 10-1 2-1 | 000000001-000000001", 0),
                        "000000001-000000001 000000002-000000001 000000003-000000001 | "
                        "000000004-000000001");
    assert_string_equal(order("1000000000-000000001 999999999-000000001", 0),
                        "000000001-000000001 000000002-000000001");
    assert_string_equal(order("5-4000000000 5-4000000001", MERGE_NO_HOME),
                        "000000001-999999999 000000002-999999999");
}

/* Random sides: the order of all files stays, and nobody needs more room than there is. */
static void test_random(void **unused)
{
    (void)unused;
    uint32_t state = 5;
    for (int round = 0; round < 2000; round++) {
        char text[2000] = "";
        const size_t nsides = 1 + any_below(&state, 4), home = any_below(&state, 5);
        for (size_t i = 0; i < nsides; i++) {
            unsigned long generation = any_below(&state, 4) ? any_below(&state, 6) : 999999990;
            strcat(text, i ? " |" : "");
            for (uint32_t k = any_below(&state, 5); k > 0; k--) {
                sprintf(text + strlen(text), " %09lu-%09u", generation, any_below(&state, 5) + 1);
                generation += 1 + any_below(&state, 2);
            }
        }
        const char *made = order(text, home);
        assert_string_not_equal(made, strerror(EOVERFLOW));
        /* Once in order, nothing changes any more. */
        char again[2000];
        snprintf(again, sizeof(again), "%s", made);
        for (char *bar = again; (bar = strchr(bar, '|'));)
            *bar = ' ';
        char once[2000];
        snprintf(once, sizeof(once), "%s", order(again, 0));
        assert_string_equal(order(once, 0), once);
    }
}

static struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static void collect(void *ctx, struct slice measurement, struct slice field, const char *type,
                    const char *refused)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%.*s.%.*s %s not %s;", (int)measurement.n, measurement.p,
            (int)field.n, field.p, type, refused);
}

static bool take(struct merge_types *t, const char *key, enum value_type type)
{
    bool fits = false;
    struct err e = {0};
    assert_int_equal(merge_types_take(t, slice_of(key), type, "1.tsm", &fits, &e), 0);
    return fits;
}

static void test_types(void **unused)
{
    (void)unused;
    char told[500] = "";
    bool fits;
    struct err e = {0};
    struct merge_types *t = merge_types_new();
    assert_true(take(t, "m,host=a#!~#v", VALUE_FLOAT));
    assert_true(take(t, "m,host=b#!~#v", VALUE_FLOAT));
    assert_false(take(t, "m,host=c#!~#v", VALUE_INTEGER));
    assert_false(take(t, "m#!~#v", VALUE_INTEGER));
    assert_false(take(t, "m#!~#v", VALUE_STRING));
    assert_true(take(t, "m#!~#w", VALUE_INTEGER));
    assert_true(take(t, "m2#!~#v", VALUE_INTEGER));
    assert_true(take(t, "m\\,host=a#!~#v", VALUE_BOOLEAN));
    assert_true(merge_types_fit(t, slice_of("m,x=y#!~#v"), VALUE_FLOAT));
    assert_false(merge_types_fit(t, slice_of("m,x=y#!~#v"), VALUE_BOOLEAN));
    assert_true(merge_types_fit(t, slice_of("n#!~#v"), VALUE_BOOLEAN));
    merge_types_refused(t, collect, told);
    assert_string_equal(told, "m.v float not integer;m.v float not string;");
    assert_int_equal(merge_types_take(t, slice_of("m,a=b"), VALUE_FLOAT, "1.tsm", &fits, &e),
                     -EBADMSG);
    assert_string_equal(e.text, "1.tsm: damaged: a key without a field");
    merge_types_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_home_keeps_its_names),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_generations_stay_together),
        cmocka_unit_test(test_other_widths),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
