/* SPDX-License-Identifier: MIT */
/* Which number follows which state, and what state it makes: manifests alone, no folders. */
#include "store/restore/chain_order.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TSM1 "data/db/rp/1/000000001-000000001.tsm"
#define TSM2 "data/db/rp/2/000000002-000000001.tsm"

/* parent: NULL: a full snapshot. files: names, separated by spaces; "+NAME": of another size.
 * The lists are the insides of JSON's. */
static struct manifest *make(const char *id, const char *parent, const char *chain, int number,
                             const char *files, const char *removed, const char *folders)
{
    char json[4096], list[2048] = "";
    autofree char *names = strdup(files);
    for (char *save, *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save))
        snprintf(list + strlen(list), sizeof(list) - strlen(list),
                 "%s{\"name\":\"%s\",\"size\":%d,\"index\":1,\"mtime_ns\":1}", *list ? "," : "",
                 name + (*name == '+'), *name == '+' ? 20 : 10);
    snprintf(json, sizeof(json),
             "{\"version\":1,\"id\":\"%s\",\"kind\":\"%s\",\"chain\":\"%s\",\"parent\":%s%s%s,"
             "\"number\":%d,\"created\":\"2016-06-11T12:00:00Z\",\"host\":\"h\",\"index\":7,"
             "\"skew_ns\":0,\"files\":[%s],\"removed\":[%s],\"removed_folders\":[%s],"
             "\"left_out\":[]}",
             id, parent ? "incremental" : "full", chain, parent ? "\"" : "",
             parent ? parent : "null", parent ? "\"" : "", number, list, removed, folders);
    struct manifest *m = NULL;
    struct err e = {0};
    if (manifest_parse(json, strlen(json), &m, &e) < 0)
        fail_msg("%s: %s", json, e.text);
    return m;
}

static struct manifest *number(const char *id, const char *parent, const char *chain, int n)
{
    return make(id, parent, chain, n, "meta/meta.db", "", "");
}

static void expect_verdict(struct manifest *m, const struct manifest *held, bool moved_on,
                           enum verdict want)
{
    assert_int_equal(chain_order_judge(m, held, moved_on), want);
    bool stale = want == VERDICT_ALREADY || want == VERDICT_SUPERSEDED;
    assert_int_equal(chain_order_stale(m, held), stale);
    manifest_free(m);
}

static void test_verdicts(void **state)
{
    (void)state;
    cleanup(manifest_freep) struct manifest *held = number("S1", "S0", "C", 1);
    expect_verdict(number("S2", "S1", "C", 2), NULL, false, VERDICT_WAITS);
    expect_verdict(number("S2", "S1", "C", 2), held, false, VERDICT_APPLY);
    expect_verdict(number("S2", "S1", "C", 2), held, true, VERDICT_MOVED_ON);
    expect_verdict(number("T0", "S1", "D", 0), held, false, VERDICT_APPLY);
    expect_verdict(number("S1", "S0", "C", 1), held, false, VERDICT_ALREADY);
    expect_verdict(number("S1", "S0", "C", 1), held, true, VERDICT_ALREADY);
    expect_verdict(number("S0", "B", "C", 0), held, false, VERDICT_SUPERSEDED);
    expect_verdict(number("X1", "S0", "C", 1), held, false, VERDICT_SUPERSEDED);
    expect_verdict(number("X2", "X1", "C", 2), held, false, VERDICT_WRONG_PARENT);
    expect_verdict(number("S3", "S2", "C", 3), held, false, VERDICT_WAITS);
    expect_verdict(number("T0", "T", "D", 0), held, false, VERDICT_WAITS);
}

static void test_next(void **state)
{
    (void)state;
    struct manifest *m[] = {number("S2", "S1", "C", 2), number("T1", "S0", "D", 1),
                            number("S1", "S0", "C", 1), number("S0", "S0", "C", 0)};
    const struct manifest *const *all = (const struct manifest *const *)m;
    cleanup(manifest_freep) struct manifest *at = number("S0", "B", "C", 0);
    assert_int_equal(chain_order_next(all, 4, at), 2); /* of its own chain */
    assert_int_equal(chain_order_next(all, 2, at), 1);
    assert_int_equal(chain_order_next(all, 1, at), SIZE_MAX);
    assert_int_equal(chain_order_next(all, 4, m[2]), 0);
    assert_int_equal(chain_order_next(all, 4, m[0]), SIZE_MAX);
    for (int i = 0; i < 4; i++)
        manifest_free(m[i]);
}

static void test_apply(void **state)
{
    (void)state;
    cleanup(manifest_freep) struct manifest *base =
        make("B", NULL, "C", 0, "data/a " TSM1 " meta/meta.db wal/z", "", "");
    cleanup(manifest_freep) struct manifest *n = make("S1", "B", "C", 1, TSM2 " +meta/meta.db",
                                                      "\"" TSM1 "\",\"wal/z\"", "\"data/db/rp/1\"");
    struct err e = {0};
    assert_int_equal(chain_order_apply(base, n, &e), 0);
    static const char *const want[] = {"data/a", TSM2, "meta/meta.db"};
    assert_int_equal(base->nfiles, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(base->files[i].name, want[i]);
    assert_int_equal(base->bytes, 10 + 10 + 20);
    assert_string_equal(base->id, "S1");
    assert_null(base->parent);
    assert_int_equal(base->kind, MANIFEST_FULL);
    assert_int_equal(base->number, 1);
}

static void expect_unfit(const char *files, const char *removed, const char *folders,
                         const char *words)
{
    cleanup(manifest_freep) struct manifest *base =
        make("B", NULL, "C", 0, TSM1 " meta/meta.db", "", "");
    cleanup(manifest_freep) struct manifest *n = make("S1", "B", "C", 1, files, removed, folders);
    struct err e = {0};
    assert_int_equal(chain_order_apply(base, n, &e), -EBADMSG);
    if (!strstr(e.text, words))
        fail_msg("%s, not %s", e.text, words);
}

static void test_unfit(void **state)
{
    (void)state;
    expect_unfit("", "\"data/none\"", "", "data/none");
    expect_unfit(TSM1, "\"" TSM1 "\"", "", "comes anew");
    expect_unfit("", "\"meta/meta.db\"", "", "takes away meta/meta.db");
    expect_unfit("data/db/rp/1", "", "", "no folder");
    expect_unfit("", "", "\"data/db/rp\"", "no folder");
    expect_unfit(TSM1 "/x", "", "", "no folder");
}

static void expect_waits_for(struct manifest *const m[], size_t n, size_t i,
                             const struct manifest *held, const char *words)
{
    struct err said = {0};
    chain_order_waits_for((const struct manifest *const *)m, n, i, held, &said);
    assert_string_equal(said.text, words);
}

static void test_waits_for(void **state)
{
    (void)state;
    struct manifest *m[] = {number("S3", "S2", "C", 3), number("S2", "S1", "C", 2),
                            number("T0", "T", "D", 0), number("O1", "O2", "E", 1),
                            number("O2", "O1", "E", 2)};
    cleanup(manifest_freep) struct manifest *at0 = number("S0", "B", "C", 0);
    cleanup(manifest_freep) struct manifest *at1 = number("S1", "S0", "C", 1);
    expect_waits_for(m, 5, 0, at1, "the restore that is under way, or the next one");
    expect_waits_for(m, 5, 0, at0, "number 1 is missing");
    expect_waits_for(m, 1, 0, at0, "number 2 is missing");
    expect_waits_for(m, 5, 2, at0, "the base.tar of its chain");
    expect_waits_for(m, 5, 0, NULL,
                     "the base.tar of its chain, and number 1 unless base.tar holds that");
    struct err said = {0};
    chain_order_waits_for((const struct manifest *const *)m, 5, 3, NULL, &said); /* a circle ends */
    assert_true(said.text[0]);
    for (size_t i = 0; i < 5; i++)
        manifest_free(m[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),  cmocka_unit_test(test_next),
        cmocka_unit_test(test_apply),     cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
