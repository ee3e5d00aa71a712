/* SPDX-License-Identifier: MIT */
/* The manifest's reader, on good, foreign, damaged and hostile text. */
#include "tests/unit/snap.h"

#include "store/snapshot/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "{\"version\":1,\"id\":\"i\",\"kind\":\"full\",\"parent\":null,\"number\":null,"               \
    "\"created\":\"2016-06-11T12:00:00Z\",\"host\":\"h\",\"index\":18446744073709551615,"          \
    "\"skew_ns\":5,"
#define TAIL ",\"removed\":[\"data/z\",\"data/a\"],\"left_out\":[\"db/rp/9\"]}"
#define FILE_OF(name, size) "{\"name\":\"" name "\",\"size\":" size ",\"index\":3,\"mtime_ns\":-4}"

static int parse(const char *json, struct manifest **out, struct err *e)
{
    /* Exactly sized, so that reading beyond it shows. */
    size_t n = strlen(json);
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, json, n);
    int r = manifest_parse(copy, n, out, e);
    free(copy);
    return r;
}

static void expect(const char *json, int code)
{
    struct manifest *m = NULL;
    struct err e = {0};
    int r = parse(json, &m, &e);
    if (r != code)
        fail_msg("%d (%s), not %d: %s", r, e.text, code, json);
    assert_true(r == 0 || (!m && e.text[0]));
    manifest_free(m);
}

static void test_good(void **state)
{
    struct manifest *m = NULL;
    (void)state;
    assert_int_equal(parse(HEAD "\"files\":[" FILE_OF("wal/b", "7") "," FILE_OF(
                               "data/a/b.c", "0") "," FILE_OF("meta/meta.db", "9") "]" TAIL "\n",
                           &m, NULL),
                     0);
    assert_string_equal(m->id, "i");
    assert_null(m->parent);
    assert_int_equal(m->number, -1);
    assert_int_equal(m->kind, MANIFEST_FULL);
    assert_true(m->index == UINT64_MAX);
    assert_int_equal(m->skew_ns, 5);
    assert_int_equal(m->nfiles, 3);
    assert_int_equal(m->bytes, 16);
    assert_string_equal(m->files[0].name, "data/a/b.c");
    assert_int_equal(manifest_find(m, "wal/b")->size, 7);
    assert_int_equal(manifest_find(m, "wal/b")->mtime_ns, -4);
    assert_null(manifest_find(m, "wal/c"));
    assert_int_equal(m->nremoved, 2);
    assert_string_equal(m->removed[0], "data/a");
    assert_int_equal(m->left_out.n, 1);
    manifest_free(m);
    expect(HEAD "\"files\":[]" TAIL, 0);
    expect("{\"future\":{},\"version\":1,\"id\":\"i\",\"kind\":\"incremental\",\"parent\":\"p\","
           "\"number\":4,\"created\":\"x\",\"host\":\"\",\"index\":0,\"skew_ns\":0,\"files\":[],"
           "\"removed\":[],\"left_out\":[]}",
           0);
}

static void test_foreign(void **state)
{
    static const char *const other[] = {"",
                                        "x",
                                        "[]",
                                        "{}",
                                        "null",
                                        "{\"version\":1}x",
                                        "{\"version\":2}",
                                        "{\"name\":\"npm\",\"version\":\"1\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
        expect(other[i], -EINVAL);
    expect("{\"version\":2,\"kind\":\"new\",\"files\":{},\"left_out\":[]}", -EINVAL);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"",
                                      "data",
                                      "meta",
                                      "meta/x",
                                      "meta/raft.db",
                                      "meta/meta.db/x",
                                      "/data/x",
                                      "data/",
                                      "data//x",
                                      "data/../x",
                                      "data/./x",
                                      "data/..",
                                      "../data/x",
                                      "other/x",
                                      "manifest",
                                      "SHA256SUMS",
                                      "data/a\\nb",
                                      "data/a\\u0000b",
                                      "data/\\u007f",
                                      "data/.influxfs/x",
                                      "data/.influxfs",
                                      "wal/.influxfs/x",
                                      "datax/y",
                                      "data\\u0001/x"};
    char json[2048];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(json, sizeof(json),
                 HEAD "\"files\":[{\"name\":\"%s\",\"size\":1,\"index\":3,\"mtime_ns\":4}]" TAIL,
                 bad[i]);
        expect(json, -EBADMSG);
        snprintf(json, sizeof(json), HEAD "\"files\":[],\"removed\":[\"%s\"],\"left_out\":[]}",
                 bad[i]);
        expect(json, -EBADMSG);
    }
    char *name = malloc(5000);
    assert_non_null(name);
    memset(name, 'a', 4999);
    memcpy(name, "data/", 5);
    name[5 + 255] = 0;
    assert_true(manifest_name_ok(name, false));
    name[5 + 255] = 'a';
    name[5 + 256] = 0;
    assert_false(manifest_name_ok(name, false));
    name[5 + 256] = 'a';
    for (size_t i = 100; i < 4999; i += 100)
        name[i] = '/';
    name[4998] = 0;
    assert_false(manifest_name_ok(name, false));
    free(name);
    assert_true(manifest_name_ok("data", true));
    assert_false(manifest_name_ok("meta/x", true));
}

static void test_values(void **state)
{
    (void)state;
#define ONE(f) HEAD "\"files\":[" f "]" TAIL
    expect(ONE(FILE_OF("data/x", "-1")), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "1.5")), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "\"1\"")), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "null")), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "9223372036854775807")), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "99999999999999999999999")), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "1125899906842624")), 0);
    expect(ONE(FILE_OF("data/x", "1125899906842624") "," FILE_OF("data/y", "1")), -EBADMSG);
    expect(ONE("{\"name\":\"data/x\",\"size\":1,\"index\":-3,\"mtime_ns\":4}"), -EBADMSG);
    expect(ONE("{\"name\":\"data/x\",\"size\":1,\"index\":3}"), -EBADMSG);
    expect(ONE("{\"size\":1,\"index\":3,\"mtime_ns\":4}"), -EBADMSG);
    expect(ONE("7"), -EBADMSG);
    expect(ONE("null"), -EBADMSG);
    expect(ONE(FILE_OF("data/x", "1") "," FILE_OF("data/x", "1")), -EBADMSG);
    expect(ONE(FILE_OF("data/a", "1") "," FILE_OF("data/a.b", "1") "," FILE_OF("data/a/c", "1")),
           -EBADMSG);
    expect(HEAD "\"files\":{}" TAIL, -EBADMSG);
    expect(HEAD "\"files\":[]}", -EBADMSG);
    expect(HEAD "\"files\":[]" TAIL "x", -EBADMSG);
    expect(HEAD "\"files\":[", -EBADMSG);
}

/* Any byte changed, any end: never a crash, and only the errors that are promised. */
static void test_flips(void **state)
{
    const char *json = ONE(FILE_OF("data/x", "1"));
    size_t n = strlen(json);
    char *copy = malloc(n);
    (void)state;
    assert_non_null(copy);
    for (int bit = 0; bit < 8; bit++) {
        for (size_t i = 0; i < n; i++) {
            struct manifest *m = NULL;
            memcpy(copy, json, n);
            copy[i] = (char)(copy[i] ^ 1 << bit);
            int r = manifest_parse(copy, n, &m, NULL);
            assert_true(r == 0 || r == -EBADMSG || (r == -EINVAL && i < 20));
            manifest_free(m);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct manifest *m = NULL;
        int r = manifest_parse(json, i, &m, NULL);
        assert_true(r == -EBADMSG || r == -EINVAL);
    }
    free(copy);
}

/* What is written is read again, and a copy is the same. */
static void test_write(void **state)
{
    static const char json[] =
        "{\"version\":1,\"id\":\"i\\\"\\\\\",\"kind\":\"incremental\",\"chain\":\"c\",\"parent\":"
        "\"p\","
        "\"number\":4,\"created\":\"x\",\"host\":\"h/\xc3\xa4\",\"index\":18446744073709551615,"
        "\"skew_ns\":-1,\"files\":[{\"name\":\"wal/\\\"b\",\"size\":7,\"index\":3,\"mtime_ns\":-4},"
        "{\"name\":\"data/a\",\"size\":0,\"index\":0,\"mtime_ns\":5}],\"removed\":[\"data/z\"],"
        "\"removed_folders\":[\"data/y\",\"wal/y\"],\"links\":[\"data/d/r/1 -> /slow/1\"],"
        "\"left_out\":[\"a/b/1\",{\"name\":\"data/a/b/2/1-1.tsm.bad\",\"files\":1,\"bytes\":77,"
        "\"why\":\"bad\"}]}";
    struct manifest *m = NULL, *copy = NULL, *again = NULL;
    char *text = NULL, *second = NULL;
    size_t n = 0, k = 0;
    (void)state;
    assert_int_equal(manifest_parse(json, strlen(json), &m, NULL), 0);
    assert_int_equal(manifest_copy(m, &copy), 0);
    manifest_free(m);
    assert_int_equal(manifest_write(copy, &text, &n), 0);
    assert_int_equal(manifest_parse(text, n, &again, NULL), 0);
    assert_int_equal(manifest_write(again, &second, &k), 0);
    assert_true(n == k && memcmp(text, second, n) == 0);
    assert_string_equal(again->id, "i\"\\");
    assert_string_equal(again->host, "h/\xc3\xa4");
    assert_int_equal(again->number, 4);
    assert_true(again->index == UINT64_MAX && again->skew_ns == -1 && again->bytes == 7);
    assert_int_equal(manifest_find(again, "wal/\"b")->mtime_ns, -4);
    assert_int_equal(again->nremoved_folders, 2);
    assert_string_equal(again->left_out.at[0].name, "a/b/1");
    assert_int_equal(again->left_out.at[0].why, OMITTED_UNKNOWN);
    assert_string_equal(again->left_out.at[1].name, "data/a/b/2/1-1.tsm.bad");
    assert_int_equal(again->left_out.at[1].why, OMITTED_BAD);
    assert_int_equal(again->left_out.at[1].files, 1);
    assert_int_equal(again->left_out.at[1].bytes, 77);
    assert_int_equal(again->nlinks, 1);
    assert_string_equal(again->links[0], "data/d/r/1 -> /slow/1");
    manifest_free(copy);
    manifest_free(again);
    free(text);
    free(second);
}

#define PART(selection)                                                                            \
    HEAD "\"selection\":" selection ",\"files\":[" FILE_OF("meta/meta.db", "9") "]" TAIL

static void test_selection(void **state)
{
    struct manifest *m, *copy;
    char *text;
    size_t len;
    (void)state;
    assert_int_equal(parse(PART("{\"databases\":[\"b\",\"a\"],\"rp\":\"x y\",\"shards\":[7],"
                                "\"from_ns\":-5,\"exact\":true,\"later\":1}"),
                           &m, NULL),
                     0);
    assert_int_equal(m->selection->ndatabases, 2);
    assert_string_equal(m->selection->databases[0], "a");
    assert_string_equal(m->selection->rp, "x y");
    assert_true(m->selection->shards[0] == 7 && m->selection->from == -5);
    assert_true(m->selection->to == INT64_MAX && m->selection->exact);
    assert_int_equal(manifest_copy(m, &copy), 0);
    assert_int_equal(manifest_write(copy, &text, &len), 0);
    manifest_free(copy);
    assert_int_equal(manifest_parse(text, len, &copy, NULL), 0);
    assert_true(selection_same(m->selection, copy->selection));
    manifest_free(copy);
    manifest_free(m);
    free(text);
    assert_int_equal(parse(PART("{}"), &m, NULL), 0);
    assert_true(m->selection && selection_is_all(m->selection));
    manifest_free(m);
}

static void test_bad_selection(void **state)
{
    static const char *const bad[] = {
        "7",
        "null",
        "[]",
        "{\"databases\":\"a\"}",
        "{\"databases\":[7]}",
        "{\"databases\":[\"\"]}",
        "{\"exclude\":[\"a\\u0007\"]}",
        "{\"exclude\":[null]}",
        "{\"rp\":null}",
        "{\"rp\":\"\"}",
        "{\"shards\":[-1]}",
        "{\"shards\":[\"1\"]}",
        "{\"shards\":{}}",
        "{\"from_ns\":\"1\"}",
        "{\"to_ns\":null}",
        "{\"exact\":1}",
    };
    char text[2048];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(text, sizeof(text), PART("%s"), bad[i]);
        expect(text, -EBADMSG);
    }
}

#define TWO FILE_OF("data/a", "1") "," FILE_OF("data/b]}\\\"[{", "2")

/* Lists are read an element at a time; what stands around and between them must be JSON all the same. */
static void test_lists(void **state)
{
    static const char *const bad[] = {"\"files\":[" TWO ",]",
                                      "\"files\":[," TWO "]",
                                      "\"files\":[" TWO "}",
                                      "\"files\":[" TWO,
                                      "\"files\":[" TWO " x]",
                                      "\"files\":[" TWO "],\"files\":[]",
                                      "\"files\":[" TWO "]]",
                                      "\"files\":[[" TWO "]]",
                                      "\"files\":[" TWO ",null]",
                                      "\"files\":[" TWO "]:[]",
                                      "\"files\":{\"files\":[]}",
                                      "\"fil\\u0065s\":[" TWO "]",
                                      "\"files\":[{\"name\":\"data/a]",
                                      "\"folders\":[\"data\" \"wal\"],\"files\":[]",
                                      "\"folders\":[7],\"files\":[]"};
    struct manifest *m;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char text[2048];
        snprintf(text, sizeof(text), HEAD "%s" TAIL, bad[i]);
        expect(text, -EBADMSG);
    }
    assert_int_equal(parse(HEAD "\"x\":{\"files\":[7,]}, \"folders\" : [ ] ,\"files\" :\n[ " TWO
                                " ] " TAIL,
                           &m, NULL),
                     -EBADMSG);
    assert_int_equal(parse(HEAD "\"x\":{\"files\":[7]}, \"folders\" : [ \"wal\" , \"data\" ] ,"
                                "\"files\" :\n[ " TWO " ] " TAIL,
                           &m, NULL),
                     0);
    assert_int_equal(m->nfiles, 2);
    assert_string_equal(m->files[1].name, "data/b]}\"[{");
    assert_int_equal(m->nfolders, 2);
    assert_string_equal(m->folders[0], "data");
    manifest_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_values),
        cmocka_unit_test(test_flips),         cmocka_unit_test(test_write),
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_selection),
        cmocka_unit_test(test_bad_selection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
