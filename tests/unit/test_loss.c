/* SPDX-License-Identifier: MIT */
/* loss: what vanished from one cut to the next, told from what influxd moves about by itself. */
#include "store/chain/cut_loss.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GONE (-1)
#define NEW (-1)

/* A file, its size before (NEW) and now (GONE). */
struct file {
    const char *path;
    long was, now;
};

static struct cut_lost lost(const struct file *files, size_t n)
{
    struct cut_lost out;
    struct loss *l = loss_new();
    for (size_t i = 0; i < n; i++) {
        const struct file_attr was = {.size = (uint64_t)files[i].was},
                               now = {.size = (uint64_t)files[i].now};
        assert_int_equal(loss_see(l, files[i].path, files[i].was == NEW ? NULL : &was,
                                  files[i].now == GONE ? NULL : &now),
                         0);
    }
    assert_int_equal(loss_sum(l, &out), 0);
    loss_free(l);
    return out;
}

#define LOST(...)                                                                                  \
    lost((const struct file[]){__VA_ARGS__},                                                       \
         sizeof((const struct file[]){__VA_ARGS__}) / sizeof(struct file))
#define TSM(shard, name) "data/db/rp/" shard "/" name ".tsm"

static void nothing(void **state)
{
    (void)state;
    char words[LOSS_WORDS];
    struct cut_lost l = LOST({"meta/meta.db", 100, 1}, {TSM("1", "000000001-000000001"), 50, 50},
                             {TSM("2", "000000001-000000001"), NEW, 70});
    assert_int_equal(l.bytes, 0);
    assert_int_equal(l.of, 50);
    assert_int_equal(l.policies, 0);
    assert_string_equal(loss_words(&l, words), "");
    assert_false(loss_exceeds(&l, 0));
}

/* A cache written out, and files compacted: as small as they become, their points are there. */
static void compacted(void **state)
{
    (void)state;
    struct cut_lost l =
        LOST({TSM("1", "000000001-000000001"), NEW, 10}, {"wal/db/rp/1/_00001.wal", 100000, GONE},
             {"wal/db/rp/1/_00002.wal", NEW, 30});
    assert_int_equal(l.bytes, 0);
    l = LOST({TSM("1", "000000001-000000001"), 1000, GONE},
             {TSM("1", "000000002-000000001"), 1000, GONE},
             {"data/db/rp/1/000000002-000000001.tombstone", 100, GONE},
             {TSM("1", "000000002-000000002"), NEW, 10});
    assert_int_equal(l.bytes, 0);
    assert_int_equal(l.of, 2100);
    /* Names of segments begin anew after a restart. */
    l = LOST({TSM("1", "000000003-000000001"), NEW, 10}, {"wal/db/rp/1/_00001.wal", 5000, 20});
    assert_int_equal(l.bytes, 0);
}

static void shards_that_are_gone(void **state)
{
    (void)state;
    char words[LOSS_WORDS];
    struct cut_lost l = LOST({TSM("1", "000000001-000000001"), 60, 60},
                             {TSM("10", "000000001-000000001"), 30, GONE},
                             {"data/other/rp/2/000000001-000000001.tsm", 5, GONE},
                             {"data/other/rp/2/000000001-000000001.tombstone", 1, GONE},
                             {"wal/db/rp/10/_00001.wal", 4, GONE});
    assert_int_equal(l.shards, 2);
    assert_int_equal(l.files, 4);
    assert_int_equal(l.bytes, 40);
    assert_int_equal(l.of, 100);
    assert_int_equal(l.policies, 2);
    assert_string_equal(l.names, "db/rp\nother/rp");
    assert_string_equal(loss_words(&l, words), "2 shards, 4 files, 40 bytes are gone (40.0 % of "
                                               "what there was): db/rp, other/rp");
    assert_true(loss_exceeds(&l, 0.39));
    assert_false(loss_exceeds(&l, 0.4));
    assert_false(loss_exceeds(&l, 1));
}

/* The folder is there: a disk is not mounted, or everything in it was deleted. */
static void shards_that_are_empty(void **state)
{
    (void)state;
    struct cut_lost l =
        LOST({TSM("1", "000000001-000000001"), 60, GONE}, {"wal/db/rp/1/_00001.wal", 0, 0});
    assert_int_equal(l.shards, 1);
    assert_int_equal(l.bytes, 60);
}

/* What came after it is no compaction of it. */
static void files_that_are_gone(void **state)
{
    (void)state;
    struct cut_lost l =
        LOST({TSM("1", "000000001-000000001"), 10, 10}, {TSM("1", "000000002-000000001"), 20, GONE},
             {"wal/db/rp/1/_00001.wal", 40, GONE});
    assert_int_equal(l.shards, 0);
    assert_int_equal(l.files, 2);
    assert_int_equal(l.bytes, 60);
    assert_string_equal(l.names, "db/rp");
    /* A shard that influxd has begun anew. */
    l = LOST({TSM("1", "000000001-000000001"), 100, 5},
             {TSM("1", "000000002-000000001"), 20, GONE});
    assert_int_equal(l.files, 2);
    assert_int_equal(l.bytes, 115);
}

static void internal(void **state)
{
    (void)state;
    struct cut_lost l = LOST({"data/_internal/monitor/1/000000001-000000001.tsm", 900, GONE},
                             {TSM("1", "000000001-000000001"), 60, 60});
    assert_int_equal(l.bytes, 0);
    assert_int_equal(l.of, 60);
}

/* More policies than there is room for: the largest losses, by whole names, and how many more. */
static void many_names(void **state)
{
    (void)state;
    static char paths[40][300];
    struct file files[40];
    char words[LOSS_WORDS], longest[256];
    memset(longest, 'n', 250);
    longest[250] = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(paths[i], sizeof(paths[i]), "data/%02d%.*s/rp/%d/000000001-000000001.tsm", i, 200,
                 longest, i + 1);
        files[i] = (struct file){paths[i], 1 + i, GONE};
    }
    struct cut_lost l = lost(files, 40);
    assert_int_equal(l.policies, 40);
    assert_memory_equal(l.names, "39n", 3);
    assert_true(strlen(l.names) < sizeof(l.names));
    assert_non_null(strstr(loss_words(&l, words), " and 35 more"));
    struct cut_head h = {.lost = l, .guard = CUT_GUARD_TRIPPED};
    struct json_object *o = loss_json_of_cut(&h), *names;
    assert_true(json_object_object_get_ex(o, "names", &names));
    assert_int_equal(json_object_array_length(names), 5);
    assert_int_equal(json_object_get_string_len(json_object_array_get_idx(names, 4)), 205);
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(compacted),
        cmocka_unit_test(shards_that_are_gone),
        cmocka_unit_test(shards_that_are_empty),
        cmocka_unit_test(files_that_are_gone),
        cmocka_unit_test(internal),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
