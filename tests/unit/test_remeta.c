/* SPDX-License-Identifier: MIT */
/* remeta: groups made for shards of which only names and times are known. */
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/rewrite/remeta.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * SECOND_NS)
#define MONDAY (INT64_C(1465171200) * SECOND_NS) /* 2016-06-06 */

typedef struct metaedit_item item;

struct asked {
    int64_t duration, shard_duration;
    char said[4000];
    size_t left_out;
};

static int64_t duration(void *arg, const char *db, const char *rp)
{
    assert_true(*db && *rp);
    return ((struct asked *)arg)->duration;
}

static int64_t shard_duration(void *arg, const char *db, const char *rp)
{
    assert_true(*db && *rp);
    return ((struct asked *)arg)->shard_duration;
}

static void say(void *arg, const char *text, bool left_out)
{
    struct asked *a = arg;
    a->left_out += left_out;
    strncat(a->said, text, sizeof(a->said) - strlen(a->said) - 2);
    strcat(a->said, "\n");
}

static void add(struct metaedit *m, struct remeta_shard *list, size_t n, struct asked *a)
{
    const struct remeta_rules rules = {duration, shard_duration, say, a};
    struct err e = {""};
    int r = remeta_add(m, list, n, &rules, &e);
    if (r < 0)
        fail_msg("%d %s", r, e.text);
}

static struct metaedit *empty(void)
{
    struct metaedit *m;
    assert_int_equal(metaedit_open(NULL, 0, &m, NULL), 0);
    return m;
}

static const item *policy(const struct metaedit *m, const char *db, const char *rp)
{
    const item *d = metaedit_find(m, NULL, METAEDIT_DATABASE, db);
    return d ? metaedit_find(m, d, METAEDIT_POLICY, rp) : NULL;
}

/* The group of a shard. */
static const item *group_of(const struct metaedit *m, const item *rp, uint64_t id)
{
    for (const item *g = metaedit_first(m, rp, METAEDIT_GROUP); g; g = metaedit_next(g))
        for (const item *s = metaedit_first(m, g, METAEDIT_SHARD); s; s = metaedit_next(s))
            if (s->id == id)
                return g;
    return NULL;
}

static void lies(const struct metaedit *m, const item *rp, uint64_t id, int64_t start, int64_t end)
{
    const item *g = group_of(m, rp, id);
    assert_non_null(g);
    if (g->start != start || g->end != end)
        fail_msg("%" PRIu64 ": %" PRId64 " to %" PRId64 ", not %" PRId64 " to %" PRId64, id,
                 g->start, g->end, start, end);
}

/* Where points are at -1 and at 0, a group ends at 1, since 0 would be the year 1. */
static bool is_around_1970(const item *a, const item *b)
{
    return a->end == 1 && b->start == 0;
}

/* Every shard has a group that holds its points, and no two groups of a policy overlap. */
static void check(const struct metaedit *m, const struct remeta_shard *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const item *rp = policy(m, list[i].db, list[i].rp), *g = group_of(m, rp, list[i].id);
        assert_non_null(g);
        assert_true(g->start <= list[i].min && list[i].max < g->end);
        for (const item *o = metaedit_first(m, rp, METAEDIT_GROUP); o; o = metaedit_next(o))
            assert_true(o == g || o->end <= g->start || g->end <= o->start ||
                        is_around_1970(o, g) || is_around_1970(g, o));
    }
}

static void test_weeks(void **state)
{
    struct asked a = {0};
    struct remeta_shard list[] = {
        {"db", "autogen", 7, MONDAY + 8 * DAY_NS, MONDAY + 13 * DAY_NS},
        {"db", "autogen", 3, MONDAY, MONDAY + 6 * DAY_NS},
        {"db", "other", 9, MONDAY + 30 * DAY_NS, MONDAY + 30 * DAY_NS},
    };
    cleanup(metaedit_freep) struct metaedit *m = empty();
    (void)state;
    add(m, list, 3, &a);
    check(m, list, 3);
    const item *rp = policy(m, "db", "autogen");
    assert_true(rp->rules.is_default && rp->rules.duration == 0 && rp->rules.replicas == 1);
    assert_true(rp->rules.shard_duration == 7 * DAY_NS);
    assert_false(policy(m, "db", "other")->rules.is_default);
    lies(m, rp, 3, MONDAY, MONDAY + 7 * DAY_NS);
    lies(m, rp, 7, MONDAY + 7 * DAY_NS, MONDAY + 14 * DAY_NS);
    assert_non_null(strstr(a.said, "db/autogen (the default): kept for ever; shard duration 7d"));
}

static void test_guessed_lengths(void **state)
{
    struct asked a = {.duration = 30 * DAY_NS};
    struct remeta_shard list[48];
    cleanup(metaedit_freep) struct metaedit *m = empty();
    (void)state;
    for (int i = 0; i < 48; i++) {
        const int64_t length = i < 24 ? DAY_NS : HOUR, start = MONDAY + i % 24 * length;
        list[i] = (struct remeta_shard){"db", i < 24 ? "days" : "hours", (uint64_t)i + 1, start + 5,
                                        start + length - 5};
    }
    add(m, list, 48, &a);
    check(m, list, 48);
    assert_true(policy(m, "db", "days")->rules.shard_duration == DAY_NS);
    assert_true(policy(m, "db", "hours")->rules.shard_duration == HOUR);
    assert_true(policy(m, "db", "days")->rules.is_default); /* it has the latest point */
    assert_true(policy(m, "db", "hours")->rules.duration == 30 * DAY_NS);
    lies(m, policy(m, "db", "hours"), 25, MONDAY, MONDAY + HOUR);
}

/* The shard duration was changed: groups are cut where the next shard begins. */
static void test_mixed(void **state)
{
    struct asked a = {0};
    struct remeta_shard list[] = {
        {"db", "rp", 1, MONDAY, MONDAY + 7 * DAY_NS - 1},
        {"db", "rp", 2, MONDAY + 7 * DAY_NS, MONDAY + 8 * DAY_NS - 1},
        {"db", "rp", 3, MONDAY + 8 * DAY_NS + 10 * HOUR, MONDAY + 8 * DAY_NS + 11 * HOUR},
        {"db", "rp", 4, MONDAY + 8 * DAY_NS + 11 * HOUR + 1, MONDAY + 8 * DAY_NS + 12 * HOUR},
    };
    cleanup(metaedit_freep) struct metaedit *m = empty();
    (void)state;
    add(m, list, 4, &a);
    check(m, list, 4);
    assert_non_null(strstr(a.said, "most of its shards"));
}

/* Shards whose times overlap share a group. */
static void test_overlapping(void **state)
{
    struct asked a = {0};
    struct remeta_shard list[] = {
        {"db", "rp", 1, MONDAY, MONDAY + 3 * DAY_NS},
        {"db", "rp", 2, MONDAY + 2 * DAY_NS, MONDAY + 9 * DAY_NS},
        {"db", "rp", 3, MONDAY + 9 * DAY_NS, MONDAY + 9 * DAY_NS},
        {"db", "rp", 4, MONDAY + 9 * DAY_NS + 1, MONDAY + 10 * DAY_NS},
    };
    cleanup(metaedit_freep) struct metaedit *m = empty();
    (void)state;
    add(m, list, 4, &a);
    check(m, list, 4);
    const item *rp = policy(m, "db", "rp");
    assert_ptr_equal(group_of(m, rp, 1), group_of(m, rp, 3));
    assert_true(group_of(m, rp, 4) != group_of(m, rp, 3));
}

/* At the ends of time, and around 1970, which as a bound would mean the year 1. */
static void test_edges(void **state)
{
    struct asked a = {0};
    struct remeta_shard list[] = {
        {"db", "rp", 1, INT64_MIN + 2, INT64_MIN + 2},
        {"db", "rp", 2, -5 * HOUR, -2},
        {"db", "rp", 3, 0, 5 * HOUR},
        {"db", "rp", 4, INT64_MAX - 1, INT64_MAX - 1},
        {"db", "r", 5, -DAY_NS, -1},
        {"db", "s", 6, 0, DAY_NS},
    };
    cleanup(metaedit_freep) struct metaedit *m = empty();
    (void)state;
    a.shard_duration = DAY_NS;
    add(m, list, 6, &a);
    check(m, list, 6);
    for (uint64_t id = 1; id <= 6; id++) {
        const char *rp = id == 5 ? "r" : id == 6 ? "s" : "rp";
        assert_true(group_of(m, policy(m, "db", rp), id)->end != 0);
    }
}

/* What is known stays; a new shard joins a group, or gets one between others. */
static void test_added(void **state)
{
    struct asked a = {0};
    const struct meta_rules rules = {0, 7 * DAY_NS, 1, true};
    struct remeta_shard list[] = {
        {"db", "rp", 11, MONDAY + DAY_NS, MONDAY + 2 * DAY_NS},
        {"db", "rp", 12, MONDAY + 7 * DAY_NS, MONDAY + 8 * DAY_NS},
        {"db", "rp", 1, MONDAY + 9 * DAY_NS, MONDAY + 9 * DAY_NS},
        {"db", "rp", 14, MONDAY + 60 * DAY_NS, MONDAY + 100 * DAY_NS},
        {"new", "rp", 5, MONDAY, MONDAY},
    };
    cleanup(metaedit_freep) struct metaedit *m = empty();
    const item *db, *rp, *g, *s;
    (void)state;
    assert_int_equal(metaedit_add_database(m, "db", &db, NULL), 0);
    assert_int_equal(metaedit_add_policy(m, db, "rp", &rules, &rp, NULL), 0);
    assert_int_equal(metaedit_add_group(m, rp, MONDAY, MONDAY + 7 * DAY_NS, &g, NULL), 0);
    assert_int_equal(metaedit_add_shard(m, g, 1, &s, NULL), 0);
    assert_int_equal(
        metaedit_add_group(m, rp, MONDAY + 8 * DAY_NS + 1, MONDAY + 14 * DAY_NS, &g, NULL), 0);
    assert_int_equal(metaedit_add_shard(m, g, 2, &s, NULL), 0);
    assert_int_equal(
        metaedit_add_group(m, rp, MONDAY + 70 * DAY_NS, MONDAY + 77 * DAY_NS, &g, NULL), 0);
    assert_int_equal(metaedit_add_shard(m, g, 3, &s, NULL), 0);
    add(m, list, 5, &a);
    lies(m, rp, 11, MONDAY, MONDAY + 7 * DAY_NS);
    lies(m, rp, 12, MONDAY + 7 * DAY_NS, MONDAY + 8 * DAY_NS + 1);
    lies(m, rp, 1, MONDAY, MONDAY + 7 * DAY_NS); /* the other one, whose id it has, stays */
    lies(m, rp, 14, MONDAY + 56 * DAY_NS, MONDAY + 105 * DAY_NS);
    assert_non_null(policy(m, "new", "rp"));
    assert_int_equal(a.left_out, 1);
    assert_non_null(strstr(a.said, "left out: db/rp/1: another shard has this id"));
    assert_non_null(strstr(a.said, "db/rp/14: its points lie in the times of several known"));
}

static uint64_t seed = 1;

static int64_t dice(int64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (int64_t)(seed >> 33) % n;
}

static void test_random(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct asked a = {.shard_duration = dice(2) ? 0 : (dice(50) + 1) * HOUR};
        struct remeta_shard list[60];
        size_t n = (size_t)dice(60) + 1;
        cleanup(metaedit_freep) struct metaedit *m = empty();
        for (size_t i = 0; i < n; i++) {
            const int64_t from = dice(400) * HOUR - 200 * HOUR + dice(3) - 1;
            list[i] = (struct remeta_shard){"db", dice(2) ? "a" : "b", i + 1, from,
                                            from + dice(dice(100) + 1) * HOUR};
        }
        add(m, list, n, &a);
        check(m, list, n);
        assert_int_equal(a.left_out, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weeks),  cmocka_unit_test(test_guessed_lengths),
        cmocka_unit_test(test_mixed),  cmocka_unit_test(test_overlapping),
        cmocka_unit_test(test_edges),  cmocka_unit_test(test_added),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
