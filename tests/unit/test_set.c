/* SPDX-License-Identifier: MIT */
/* Sets of influxd: names, manifests, metastores, and how a tar of one is told from others. */
#include "store/sets/set.h"
#include "store/sets/set_manifest.h"
#include "store/sets/set_meta.h"
#include "store/sets/set_name.h"
#include "store/snapshot/tarhead.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check_shard(const char *name, const char *policy, uint64_t id, uint64_t run)
{
    size_t prefix = 0;
    uint64_t got_id = 0, got_run = 0;
    assert_int_equal(set_name_kind(name), SET_LEGACY);
    assert_true(set_name_shard(name, &prefix, &got_id, &got_run));
    assert_int_equal(prefix, strlen(policy));
    assert_memory_equal(name, policy, prefix);
    assert_int_equal(got_id, id);
    assert_int_equal(got_run, run);
}

static void test_names(void **state)
{
    (void)state;
    uint64_t run = 9;
    size_t prefix;
    check_shard("db.autogen.00001.00", "db.autogen", 1, 0);
    check_shard("a.b.1.h.00010.07", "a.b.1.h", 10, 7);
    check_shard("x y.rp.123456.100", "x y.rp", 123456, 100);
    check_shard("meta.rp.00001.00", "meta.rp", 1, 0);
    check_shard("-rf.rp.00020.00", "-rf.rp", 20, 0);
    assert_true(set_name_meta("meta.00", &run) && run == 0);
    assert_true(set_name_meta("meta.123", &run) && run == 123);
    static const char *const none[] = {"meta.0",
                                       "meta.012",
                                       "meta",
                                       "meta.00.pending",
                                       "db.rp.1.00",
                                       "db.rp.00001.0",
                                       "db.rp.012345.00",
                                       ".00001.00",
                                       "db.00001.00",
                                       "rp..00001.00.x",
                                       "db.rp.00001.00~",
                                       "../db.rp.00001.00",
                                       ".meta.00",
                                       "x.tar.gz",
                                       "s1.tar.gz",
                                       "20260101.sx.tar.gz",
                                       "a/b.manifest",
                                       "manifest",
                                       "README",
                                       "db.txt",
                                       "",
                                       "db.rp.99999999999999999999.00"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        if (set_name_kind(none[i]) != SET_NO_NAME)
            fail_msg("%s is taken for a file of a set", none[i]);
    assert_false(set_name_shard("meta.00", &prefix, &run, &run));
    assert_int_equal(set_name_kind("20260101T000000Z.manifest"), SET_PORTABLE);
    assert_int_equal(set_name_kind("20260101T000000Z.meta"), SET_PORTABLE);
    assert_int_equal(set_name_kind("20260101T000000Z.s10.tar.gz"), SET_PORTABLE);
}

#define FILE_OF(shard, name)                                                                       \
    "{\"database\":\"db\",\"policy\":\"rp\",\"shardID\":" shard ",\"fileName\":\"" name            \
    "\",\"size\":1024,\"lastModified\":0}"
#define MANIFEST(files)                                                                            \
    "{\"meta\":{\"fileName\":\"a.meta\",\"size\":5},\"limited\":false,\"files\":" files "}"

static int parse(const char *text, struct set_manifest *m, struct err *e)
{
    e->text[0] = 0;
    return set_manifest_parse(text, strlen(text), m, e);
}

static void test_manifest(void **state)
{
    (void)state;
    struct set_manifest m = {0};
    struct err e;
    assert_int_equal(parse(MANIFEST("[" FILE_OF("2", "b") "," FILE_OF("1", "c") "]"), &m, &e), 0);
    assert_int_equal(m.nfiles, 2);
    assert_int_equal(m.files[0].shard, 1);
    assert_string_equal(m.files[0].name, "c");
    assert_int_equal(m.files[1].size, 1024);
    assert_int_equal(m.meta_size, 5);
    set_manifest_clear(&m);
    assert_int_equal(parse(MANIFEST("null"), &m, &e), 0);
    assert_int_equal(m.nfiles, 0);
    set_manifest_clear(&m);
}

static void test_bad_manifests(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "not one object"},
        {"[]", "not one object"},
        {MANIFEST("[]") "x", "not one object"},
        {"{}", "no `meta`"},
        {"{\"meta\":{\"fileName\":\"a\",\"size\":-1},\"files\":[]}", "the size of a"},
        {"{\"meta\":{\"fileName\":\"a/b\",\"size\":1},\"files\":[]}", "names a/b"},
        {MANIFEST("{}"), "`files` is missing"},
        {MANIFEST("[1]"), "an entry of `files`"},
        {MANIFEST("[" FILE_OF("1", "../x") "]"), "names ../x"},
        {MANIFEST("[" FILE_OF("1", "/x") "]"), "names /x"},
        {MANIFEST("[" FILE_OF("1", ".x") "]"), "names .x"},
        {MANIFEST("[" FILE_OF("1", "x\\u0000y") "]"), "`fileName` is missing"},
        {MANIFEST("[" FILE_OF("-1", "x") "]"), "the entry of x"},
        {MANIFEST("[" FILE_OF("1", "x") "," FILE_OF("2", "x") "]"), "names x twice"},
        {MANIFEST("[" FILE_OF("1", "x") "," FILE_OF("1", "y") "]"), "names shard 1 twice"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct set_manifest m = {0};
        struct err e;
        assert_int_equal(parse(bad[i].text, &m, &e), -EBADMSG);
        if (!strstr(e.text, bad[i].words))
            fail_msg("%s: %s", bad[i].text, e.text);
        assert_null(m.files);
    }
}

static void test_metastores(void **state)
{
    (void)state;
    static const uint8_t legacy[] = {0, 0, 0, 0, 0x59, 0x59, 1,   1,   0,   0,   0,
                                     0, 0, 0, 0, 3,    1,    2,   3,   0,   0,   0,
                                     0, 0, 0, 0, 5,    'n',  'u', 'l', 'l', '\n'};
    static const uint8_t packed[] = {0x0a, 3, 0x18, 42, 7, 0x10, 0};
    struct bytes out = {0};
    struct err e;
    assert_int_equal(set_meta_legacy((struct bytes){legacy, sizeof(legacy)}, &out, &e), 0);
    assert_true(out.p == legacy + 16 && out.n == 3);
    for (size_t n = 0; n < sizeof(legacy); n++)
        assert_int_equal(set_meta_legacy((struct bytes){legacy, n}, &out, &e), -EBADMSG);
    uint8_t longer[sizeof(legacy) + 1] = {0};
    memcpy(longer, legacy, sizeof(legacy));
    assert_int_equal(set_meta_legacy((struct bytes){longer, sizeof(longer)}, &out, &e), -EBADMSG);

    const struct bytes all = {packed, sizeof(packed)};
    assert_int_equal(set_meta_portable(all, 3, &out, &e), 0);
    assert_true(out.p == packed + 2 && out.n == 3);
    assert_int_equal(set_meta_portable(all, sizeof(packed), &out, &e), 0);
    assert_true(out.p == packed);
    assert_int_equal(set_meta_portable(all, 4, &out, &e), -EBADMSG);
    assert_int_equal(set_meta_cluster((struct bytes){packed + 2, 2}), 42);
    assert_int_equal(set_meta_cluster((struct bytes){packed, sizeof(packed)}), 0);
}

/* A tar of empty files and, with a slash at their ends, folders. */
static struct buffer tar_of(const char *const *names, size_t n)
{
    struct buffer tar = {0};
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(names[i]);
        const bool folder = names[i][len - 1] == '/';
        const struct file_attr attr = {.mode = folder ? S_IFDIR | 0755 : S_IFREG | 0644};
        char head[TARHEAD_MAX], path[256] = "";
        memcpy(path, names[i], folder ? len - 1 : len);
        buffer_add(&tar, head, (size_t)tarhead_write(path, &attr, head));
    }
    return tar;
}

static int begins(const char *const *names, size_t n)
{
    struct buffer tar = tar_of(names, n);
    int r = set_tar_begins(tar.p, tar.n, false);
    buffer_free(&tar);
    return r;
}

static void test_tars(void **state)
{
    (void)state;
#define BEGINS(...)                                                                                \
    begins((const char *const[]){__VA_ARGS__},                                                     \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
    assert_int_equal(BEGINS("db.rp.00001.00"), 1);
    assert_int_equal(BEGINS("meta.00"), 1);
    assert_int_equal(BEGINS("set/", "set/20260101T000000Z.manifest"), 1);
    assert_int_equal(BEGINS("README", "meta.00"), 1);
    assert_int_equal(BEGINS("manifest", "meta.00"), 0);
    assert_int_equal(BEGINS("set/"), -EAGAIN);
    assert_int_equal(set_tar_begins("no tar", 6, false), -EAGAIN);
    char text[1024];
    memset(text, 'x', sizeof(text));
    assert_int_equal(set_tar_begins(text, sizeof(text), true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_bad_manifests), cmocka_unit_test(test_metastores),
        cmocka_unit_test(test_tars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
