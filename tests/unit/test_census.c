/* SPDX-License-Identifier: MIT */
/* census: what influxd would do by itself with a meta.db, and keeping it from deleting. */
#include "store/base/cleanup.h"
#include "store/influx/census.h"
#include "tests/unit/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400000000000)
#define NOW (INT64_C(17000) * DAY)

static void group(struct wire *policy, uint64_t id, int64_t end, int64_t deleted_at)
{
    struct wire g = {.n = 0}, s = {.n = 0};
    number(&s, 1, id);
    number(&g, 1, id);
    number(&g, 2, (uint64_t)(end - DAY));
    number(&g, 3, (uint64_t)end);
    number(&g, 4, (uint64_t)deleted_at);
    bytes(&g, 5, s.b, s.n);
    bytes(policy, 5, g.b, g.n);
}

static struct wire policy(const char *name, int64_t duration)
{
    struct wire p = {.n = 0};
    text(&p, 1, name);
    text(&p, 98, "before it");
    number(&p, 2, (uint64_t)duration);
    number(&p, 3, (uint64_t)DAY);
    number(&p, 4, 1);
    return p;
}

static void database(struct wire *m, const char *name, const struct wire *policies, size_t n)
{
    struct wire d = {.n = 0};
    text(&d, 1, name);
    text(&d, 2, "p");
    for (size_t i = 0; i < n; i++)
        bytes(&d, 3, policies[i].b, policies[i].n);
    text(&d, 97, "from a later version");
    bytes(m, 5, d.b, d.n);
}

/* Some of it past its time, by each kind of reason; kept: as it is to be afterwards. */
static struct wire sample(bool kept)
{
    struct wire m = {.n = 0}, p[3], o = {.n = 0};
    header(&m);
    p[0] = policy("p", kept ? 0 : 30 * DAY);
    group(&p[0], 1, NOW - 30 * DAY - 1, 0);
    group(&p[0], 2, NOW - 30 * DAY, 0);             /* not before now */
    group(&p[0], 3, NOW - 40 * DAY, NOW - 5 * DAY); /* deleted already */
    group(&p[0], 4, 0, 0);                          /* the year 1 */
    p[1] = policy("for ever", 0);
    group(&p[1], 5, INT64_MIN + DAY, 0);
    p[2] = policy("far", INT64_MAX);
    group(&p[2], 6, INT64_MAX, 0); /* their sum is no int64_t */
    database(&m, "db", p, 3);
    p[0] = policy("p", 7 * DAY); /* of the same name, and nothing is past */
    group(&p[0], 7, NOW, 0);
    database(&m, "other", p, 1);
    p[0] = policy("monitor", 7 * DAY);
    group(&p[0], 8, NOW - 8 * DAY, 0);
    database(&m, "_internal", p, 1);
    text(&o, 1, "someone");
    text(&o, 2, "a hash");
    number(&o, 3, 1);
    bytes(&m, 6, o.b, o.n);
    text(&m, 96, "the end");
    return m;
}

static void test_take(void **state)
{
    (void)state;
    struct wire w = sample(false);
    cleanup(census_clear) struct census c = {0};
    assert_int_equal(census_take(w.b, w.n, NOW, &c, NULL), 0);
    assert_int_equal(c.nexpired, 1);
    assert_string_equal(c.expired[0].db, "db");
    assert_string_equal(c.expired[0].rp, "p");
    assert_int_equal(c.expired[0].shards, 2);
    assert_true(c.expired[0].duration == 30 * DAY);
    assert_true(census_has(&c, "db", "p"));
    assert_false(census_has(&c, "other", "p"));
    assert_int_equal(c.counts.users, 1);
    assert_int_equal(c.counts.subscriptions, 0);
    struct err e = {0};
    assert_int_equal(census_take(w.b, w.n - 3, NOW, &c, &e), -EBADMSG);
}

static void test_keep(void **state)
{
    (void)state;
    struct wire w = sample(false), wanted = sample(true);
    cleanup(census_clear) struct census c = {0};
    assert_int_equal(census_take(w.b, w.n, NOW, &c, NULL), 0);
    autofree void *kept = NULL;
    size_t n = 0;
    assert_int_equal(census_keep(&c, w.b, w.n, &kept, &n, NULL), 0);
    assert_int_equal(n, wanted.n);
    assert_memory_equal(kept, wanted.b, n);
    cleanup(census_clear) struct census again = {0};
    assert_int_equal(census_take(kept, n, NOW, &again, NULL), 0);
    assert_int_equal(again.nexpired, 0);
}

/* With nothing to change every byte stays, lengths that are written long included. */
static void test_verbatim(void **state)
{
    (void)state;
    struct wire w = sample(false);
    struct census none = {0};
    autofree void *kept = NULL;
    size_t n = 0;
    w.b[w.n++] = 5 << 3 | 2; /* one more database, its length of two bytes in four */
    static const uint8_t name[] = {1 << 3 | 2, 1, 'x', 2 << 3 | 2, 1, 'p'};
    static const uint8_t length[] = {0x80 | sizeof(name), 0x80, 0x80, 0};
    memcpy(w.b + w.n, length, sizeof(length));
    memcpy(w.b + w.n + sizeof(length), name, sizeof(name));
    w.n += sizeof(length) + sizeof(name);
    assert_int_equal(census_keep(&none, w.b, w.n, &kept, &n, NULL), 0);
    assert_int_equal(n, w.n);
    assert_memory_equal(kept, w.b, n);
}

/* Cut off, or with any byte another: never beyond its end, and never longer. */
static void test_hostile(void **state)
{
    (void)state;
    struct wire w = sample(false);
    cleanup(census_clear) struct census c = {0};
    assert_int_equal(census_take(w.b, w.n, NOW, &c, NULL), 0);
    for (size_t i = 0; i < w.n; i++)
        for (int v = 0; v < 256; v++) {
            size_t len = v ? w.n : i, n = 0;
            autofree void *kept = NULL;
            autofree uint8_t *copy = malloc(len + 1);
            memcpy(copy, w.b, len);
            copy[i < len ? i : len] = (uint8_t)v;
            if (census_keep(&c, copy, len, &kept, &n, NULL) == 0)
                assert_true(n <= len);
        }
}

static void duration_is(int64_t ns, const char *wanted)
{
    char got[64];
    census_duration(ns, got);
    assert_string_equal(got, wanted);
}

static void test_words(void **state)
{
    (void)state;
    duration_is(0, "0s");
    duration_is(30 * DAY, "30d");
    duration_is(DAY / 16, "1h30m");
    duration_is(36 * (DAY / 24), "1d12h");
    duration_is(1000001, "1ms1ns");
    duration_is(INT64_MAX, "106751d23h47m16s854ms775u807ns");
    duration_is(INT64_MIN, "-106751d23h47m16s854ms775u808ns");
    struct err line = {0};
    const struct census_policy one = {(char *)"db", (char *)"rp", DAY, 1};
    census_tell_expired(&one, false, &line);
    assert_non_null(strstr(line.text, "1 shard of db.rp ends before its retention of 1d: influxd "
                                      "deletes it at its first check; "));
    struct census c = {0};
    assert_false(census_tell_company(&c, "2026-01-02", &line));
    c.counts = (struct meta_counts){.users = 1, .queries = 2};
    assert_true(census_tell_company(&c, "2026-01-02", &line));
    assert_string_equal(line.text,
                        "with it come 1 user and 2 continuous queries, as of 2026-01-02: "
                        "the password is that of 2026-01-02; influxd runs the queries "
                        "again when it starts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),     cmocka_unit_test(test_keep),
        cmocka_unit_test(test_verbatim), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
