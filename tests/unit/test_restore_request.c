/* SPDX-License-Identifier: MIT */
/* Tests what may be asked of a snapshot, and what the place of an upload asks for. */
#include "store/restore/restore_request.h"

#include "tests/unit/wipe.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct restore_request *read_path(const char *path)
{
    struct restore_request *q = NULL;
    struct err e = {0};
    assert_int_equal(restore_request_of_path(path, &q, &e), 0);
    return q;
}

static void refuse_path(const char *path, const char *words)
{
    struct restore_request *q = NULL;
    struct err e = {0};
    assert_int_equal(restore_request_of_path(path, &q, &e), -EINVAL);
    assert_null(q);
    assert_non_null(strstr(e.text, words));
}

static void test_plain_paths(void **state)
{
    (void)state;
    static const char *const plain[] = {"now.tar",      "a/b.tar",    "as.tar",   "ask/x/y.tar",
                                        "merged/x.tar", "x/as/b.tar", "a/merge/x"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        assert_null(read_path(plain[i]));
        assert_int_equal(restore_request_check_folder(plain[i], NULL), 0);
    }
}

static void test_as(void **state)
{
    (void)state;
    static const char *const paths[] = {"as/x y/now.tar", "as/x y/a/b.tar", "as/x y/.now.tar.Xy"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct restore_request *q = read_path(paths[i]);
        assert_string_equal(q->as, "x y");
        assert_int_equal(q->merge, MERGE_NONE);
        assert_true(restore_request_composes(q));
        restore_request_free(q);
    }
    refuse_path("as/now.tar", "as/NAME/");
    refuse_path("as/_internal/now.tar", "_internal");
    refuse_path("as/lost+found/now.tar", "lost+found");
    refuse_path("as/.influxfs/now.tar", "dot");
    refuse_path("as/a\\b/now.tar", "no name");
    char longest[300] = "as/", too_long[300] = "as/";
    memset(longest + 3, 'x', NAME_MAX);
    strcat(longest, "/x");
    memset(too_long + 3, 'x', NAME_MAX + 1);
    strcat(too_long, "/x");
    restore_request_free(read_path(longest));
    refuse_path(too_long, "at most 255 bytes");
}

static void test_merge(void **state)
{
    (void)state;
    struct restore_request *ours = read_path("merge/ours/now.tar"),
                           *theirs = read_path("merge/theirs/a/now.tar");
    assert_int_equal(ours->merge, MERGE_OURS);
    assert_int_equal(theirs->merge, MERGE_THEIRS);
    assert_false(restore_request_same(ours, theirs));
    assert_true(restore_request_same(ours, ours));
    assert_false(restore_request_same(ours, NULL));
    restore_request_free(ours);
    restore_request_free(theirs);
    refuse_path("merge/now.tar", "merge/theirs/");
    refuse_path("merge/our/now.tar", "merge/theirs/");
    refuse_path("merge/oursx/now.tar", "merge/theirs/");
}

static void test_folders(void **state)
{
    (void)state;
    static const char *const good[] = {"as",    "as/b",       "as/b/c",
                                       "merge", "merge/ours", "merge/theirs/x"};
    static const char *const bad[] = {"as/_internal", "as/.b", "merge/other", "merge/our"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(restore_request_check_folder(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(restore_request_check_folder(bad[i], NULL), -EINVAL);
}

static const char *const two[] = {"a", "b"};

static void refuse(struct restore_request q, const char *words)
{
    struct err e = {0};
    assert_int_equal(restore_request_check(&q, &e), -EINVAL);
    assert_non_null(strstr(e.text, words));
}

static void test_check(void **state)
{
    (void)state;
    const struct restore_request none = RESTORE_REQUEST_NONE;
    struct restore_request q = none;
    assert_int_equal(restore_request_check(&q, NULL), 0);
    assert_false(restore_request_composes(&q));
    assert_false(restore_request_composes(NULL));
    q.part.databases = two;
    q.part.ndatabases = 2;
    assert_int_equal(restore_request_check(&q, NULL), 0);
    assert_true(restore_request_composes(&q));
    q.as = "c";
    refuse(q, "only one");
    q = none;
    q.as = "";
    refuse(q, "no name");
    q.as = "..";
    refuse(q, "no name");
    q = none;
    q.part.exact = true;
    refuse(q, "need a time");
    q.part.from = 10;
    assert_int_equal(restore_request_check(&q, NULL), 0);
    q.merge = MERGE_OURS;
    refuse(q, "whole shards");
    q = none;
    q.part.from = q.part.to = 10;
    refuse(q, "not before");
}

static void check_words(struct restore_request q, const char *want)
{
    struct err words;
    restore_request_words(&q, &words);
    assert_string_equal(words.text, want);
}

static void test_copy_and_words(void **state)
{
    (void)state;
    static const uint64_t ids[] = {3, 40};
    struct restore_request q = RESTORE_REQUEST_NONE, *copy = NULL;
    check_words(q, "every database");
    q.part.databases = two;
    q.part.ndatabases = 2;
    q.part.exclude = two;
    q.part.nexclude = 1;
    q.part.rp = "rp";
    q.part.shards = ids;
    q.part.nshards = 2;
    q.part.from = 0;
    q.merge = MERGE_OURS;
    assert_int_equal(restore_request_copy(&q, &copy), 0);
    assert_true(restore_request_same(&q, copy));
    check_words(*copy, "the shards 3, 40 of policy rp of the databases a and b but a, shards from "
                       "1970-01-01T00:00:00Z, merged: the store's points count");
    copy->part.nshards = 1;
    assert_false(restore_request_same(&q, copy));
    restore_request_free(copy);
    assert_int_equal(restore_request_copy(NULL, &copy), 0);
    assert_null(copy);
    struct restore_request as = RESTORE_REQUEST_NONE;
    as.part.databases = two;
    as.part.ndatabases = 1;
    as.as = "new";
    check_words(as, "database a as new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_paths), cmocka_unit_test(test_as),
        cmocka_unit_test(test_merge),       cmocka_unit_test(test_folders),
        cmocka_unit_test(test_check),       cmocka_unit_test(test_copy_and_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
