/* SPDX-License-Identifier: MIT */
/* merge_plan: which shard goes where. Metastores and plans are texts; hours stand for times. */
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/restore/merge_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef const struct metaedit_item item;

#define HOUR (3600 * SECOND_NS)
#define POINTS 20

/* The hours of a shard's points there; {0}: no file. */
struct points {
    uint64_t shard;
    double hours[POINTS]; /* ascending, up to a 0 */
};

static const struct points *points_of(void *ctx, uint64_t shard)
{
    const struct points *p = ctx;
    while (p->shard && p->shard != shard)
        p++;
    return p;
}

static int holds(void *ctx, uint64_t shard, struct err *e)
{
    (void)e;
    return points_of(ctx, shard)->shard != 0;
}

/* In blocks of four. */
static int times(void *ctx, uint64_t shard, merge_times_fn *fn, void *fn_ctx, struct err *e)
{
    const double *h = points_of(ctx, shard)->hours;
    (void)e;
    for (size_t i = 0; h[i] != 0;) {
        size_t end = i + 1;
        while (end < i + 4 && h[end] != 0)
            end++;
        int r = fn(fn_ctx, (int64_t)(h[i] * (double)HOUR), (int64_t)(h[end - 1] * (double)HOUR));
        for (; r >= 0 && i < end; i++)
            if (r == 1 &&
                fn(fn_ctx, (int64_t)(h[i] * (double)HOUR), (int64_t)(h[i] * (double)HOUR)) < 0)
                return -1;
        i = end;
    }
    return 0;
}

/* "POLICY HOURS: FROM-TO ID ID…; …" makes database db of a line for each policy; times and durations
 * are in hours, the first policy is the default one. */
static struct metaedit *meta_of(const char *text)
{
    struct metaedit *m = NULL;
    struct err e = {0};
    item *db, *rp, *group, *shard;
    char words[1000];
    snprintf(words, sizeof(words), "%s", text);
    assert_int_equal(metaedit_open(NULL, 0, &m, &e), 0);
    assert_int_equal(metaedit_add_database(m, "db", &db, &e), 0);
    char *line_end = NULL;
    for (char *line = strtok_r(words, "\n", &line_end); line;
         line = strtok_r(NULL, "\n", &line_end)) {
        char name[20], *group_end = NULL;
        int n = 0;
        long long hours, from, to;
        assert_int_equal(sscanf(line, "%19s %lld:%n", name, &hours, &n), 2);
        const struct meta_rules rules = {0, hours * HOUR, 1,
                                         !metaedit_first(m, db, METAEDIT_POLICY)};
        assert_int_equal(metaedit_add_policy(m, db, name, &rules, &rp, &e), 0);
        for (char *g = strtok_r(line + n, ";", &group_end); g;
             g = strtok_r(NULL, ";", &group_end)) {
            if (sscanf(g, " %lld-%lld%n", &from, &to, &n) != 2)
                continue;
            assert_int_equal(metaedit_add_group(m, rp, from * HOUR, to * HOUR, &group, &e), 0);
            for (char *id = g + n; *id;) {
                uint64_t number = strtoull(id, &id, 10);
                assert_int_equal(metaedit_add_shard(m, group, number, &shard, &e), 0);
            }
        }
    }
    return m;
}

/* The groups of a policy in the same form. */
static void print_groups(const struct metaedit *m, const char *policy, char *out)
{
    item *db = metaedit_first(m, NULL, METAEDIT_DATABASE);
    item *rp = metaedit_find(m, db, METAEDIT_POLICY, policy);
    *out = 0;
    assert_non_null(rp);
    for (item *g = metaedit_first(m, rp, METAEDIT_GROUP); g; g = metaedit_next(g)) {
        out += sprintf(out, " %lld-%lld", (long long)(g->start / HOUR), (long long)(g->end / HOUR));
        for (item *s = metaedit_first(m, g, METAEDIT_SHARD); s; s = metaedit_next(s))
            out += sprintf(out, " %llu", (unsigned long long)s->id);
        out += sprintf(out, ";");
    }
}

static void print_plan(const struct merge_plan *p, char *out)
{
    static const char *const how[] = {"whole", "files", "points"};
    *out = 0;
    for (size_t i = 0; i < p->nsteps; i++) {
        const struct merge_step *s = &p->steps[i];
        out += sprintf(out, "%s %llu>%llu", how[s->how], (unsigned long long)s->there,
                       (unsigned long long)s->here);
        if (s->range.min != INT64_MIN)
            out += sprintf(out, " %lld-%lld", (long long)(s->range.min / HOUR),
                           (long long)(s->range.max / HOUR) + 1);
        if (s->n > 1)
            out += sprintf(out, " %llu/%llu", (unsigned long long)s->i, (unsigned long long)s->n);
        out += sprintf(out, "; ");
    }
}

/* Checks the plan, and the groups that the policy rp has then. */
static void check(const char *ours, const char *theirs, const struct points *points,
                  const struct selection *what, const char *plan, const char *groups)
{
    cleanup(metaedit_freep) struct metaedit *here = meta_of(ours), *there = meta_of(theirs);
    cleanup(merge_plan_clear) struct merge_plan p = {0};
    const struct selection all = SELECTION_ALL;
    const struct merge_shards shards = {holds, times, (void *)points};
    struct err e = {0};
    char got[2000];
    int r = merge_plan_database(here, metaedit_first(here, NULL, METAEDIT_DATABASE), there,
                                metaedit_first(there, NULL, METAEDIT_DATABASE), what ? what : &all,
                                &shards, &p, &e);
    assert_int_equal(r, 0);
    print_plan(&p, got);
    assert_string_equal(got, plan);
    print_groups(here, "rp", got);
    assert_string_equal(got, groups);
}

static void test_same_groups(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {24.5}}, {2, {48.5}}, {4, {96.5}}, {0}};
    /* 3 has no files; 4 is new, and its id is taken here. */
    check("rp 24: 24-48 7; 48-72 4", "rp 24: 24-48 1; 48-72 2; 72-96 3; 96-120 4", points, NULL,
          "files 1>7; files 2>4; whole 4>8; ", " 24-48 7; 48-72 4; 96-120 8;");
}

static void test_new_policy(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {1}}, {3, {2000}}, {0}};
    /* Groups of other lengths than the policy's are taken too; the empty one is not. */
    check("other 24: 24-48 1", "rp 24: 1-5 1; 5-6 2; 1999-2007 3", points, NULL,
          "whole 1>2; whole 3>4; ", " 1-5 2; 1999-2007 4;");
}

static void test_longer_here(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {24.5, 24.6}}, {2, {25.5}}, {3, {49, 49.5}}, {0}};
    check("rp 24: 24-48 1", "rp 1: 24-25 1; 25-26 2; 49-50 3", points, NULL,
          "points 1>1 24-48; points 2>1 24-48; points 3>2 48-72; ", " 24-48 1; 48-72 2;");
}

static void test_shorter_here(void **unused)
{
    (void)unused;
    /* No point lies in hours 27 to 30: there is no group for them. */
    const struct points points[] = {{1, {24.5, 25, 25.5, 26.5, 31, 31.5, 47.9}}, {0}};
    check("rp 1: 25-26 1", "rp 24: 24-48 1", points, NULL,
          "points 1>2 24-25; points 1>1 25-26; points 1>3 26-27; points 1>4 31-32; points 1>5 "
          "47-48; ",
          " 24-25 2; 25-26 1; 26-27 3; 31-32 4; 47-48 5;");
}

/* The store's groups were of another length once, and leave a gap. */
static void test_gap(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {24.5, 29, 33, 47}}, {0}};
    check("rp 24: 24-28 1; 32-36 2", "rp 24: 24-48 1", points, NULL,
          "points 1>1 24-28; points 1>3 28-32; points 1>2 32-36; points 1>4 36-48; ",
          " 24-28 1; 28-32 3; 32-36 2; 36-48 4;");
}

/* No group here overlaps, but influxd would not make it so. */
static void test_other_offset(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {25, 50}}, {0}};
    check("rp 24: 240-264 1", "rp 36: 24-60 1", points, NULL,
          "points 1>2 24-48; points 1>3 48-72; ", " 24-48 2; 48-72 3; 240-264 1;");
}

static void test_several_shards(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {24.5}}, {2, {24.5}}, {3, {48.5}},
                                    {4, {72.5}}, {5, {72.5}}, {0}};
    check("rp 24: 24-48 10; 48-72 11 12; 72-96 13 14", "rp 24: 24-48 1 2; 48-72 3; 72-96 4 5",
          points, NULL,
          "files 1>10; files 2>10; points 3>11 48-72 0/2; points 3>12 48-72 1/2; "
          "files 4>13; files 5>14; ",
          " 24-48 10; 48-72 11 12; 72-96 13 14;");
    /* New groups keep what is wanted of them. */
    const uint64_t ids[] = {5};
    const struct selection one = {.shards = ids, .nshards = 1, .from = INT64_MIN, .to = INT64_MAX};
    check("rp 24: 24-48 10", "rp 24: 24-48 1; 72-96 4 5", points, &one, "whole 5>5; ",
          " 24-48 10; 72-96 5;");
}

/* One of the snapshot's groups overlaps another that is added. */
static void test_overlap_there(void **unused)
{
    (void)unused;
    const struct points points[] = {{1, {24.5}}, {2, {25.5}}, {0}};
    check("rp 24:", "rp 24: 24-48 1; 25-26 2", points, NULL, "points 2>1 24-48; files 1>1; ",
          " 24-48 1;");
}

static void test_notes(void **unused)
{
    (void)unused;
    cleanup(metaedit_freep) struct metaedit *here = meta_of("rp 24:\nb 24:"),
                                            *there = meta_of("b 24:\nrp 1:");
    cleanup(merge_plan_clear) struct merge_plan p = {0};
    const struct selection all = SELECTION_ALL;
    const struct points none = {0};
    const struct merge_shards shards = {holds, times, (void *)&none};
    struct err e = {0};
    assert_int_equal(merge_plan_database(here, metaedit_first(here, NULL, METAEDIT_DATABASE), there,
                                         metaedit_first(there, NULL, METAEDIT_DATABASE), &all,
                                         &shards, &p, &e),
                     0);
    assert_int_equal(p.notes.n, 2);
    assert_string_equal(p.notes.lines[0],
                        "the default policy of database db stays rp; in the snapshot it is b");
    assert_string_equal(p.notes.lines[1],
                        "the policy rp of database db stays as it is: DURATION INF SHARD DURATION "
                        "1d; in the snapshot it is DURATION INF SHARD DURATION 1h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_groups),
        cmocka_unit_test(test_new_policy),
        cmocka_unit_test(test_longer_here),
        cmocka_unit_test(test_shorter_here),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_other_offset),
        cmocka_unit_test(test_several_shards),
        cmocka_unit_test(test_overlap_there),
        cmocka_unit_test(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
