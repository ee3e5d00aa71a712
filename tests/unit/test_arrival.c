/* SPDX-License-Identifier: MIT */
/* When a set that arrives file by file is judged. What is in the files is no backup, so that a
 * verdict shows as -EBADMSG. */
#include "tests/unit/snap.h"

#include "store/restore/account.h"
#include "store/sets/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define T1 "20200101T000000Z"
#define T2 "20200102T000000Z"

struct scene {
    char *root;
    struct session *session;
    struct arrival *set;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    char meta[PATH_MAX], data[PATH_MAX], wal[PATH_MAX], place[PATH_MAX];
    assert_non_null(s);
    s->root = temp_folder();
    snprintf(meta, sizeof(meta), "%s/meta", s->root);
    snprintf(data, sizeof(data), "%s/data", s->root);
    snprintf(wal, sizeof(wal), "%s/wal", s->root);
    snprintf(place, sizeof(place), "%s/influxfs", s->root);
    tree_put(meta, "meta.db", "old meta");
    tree_put(data, "old", "old data");
    tree_put(wal, "old", "old wal");
    assert_int_equal(mkdir(place, 0700), 0);
    int fd = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    const struct store_paths paths = {meta, data, wal, NULL};
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .state_fd = fd};
    assert_int_equal(session_open(&o, &s->session, NULL), 0);
    close(fd);
    assert_int_equal(arrival_new(s->session, "set", NULL, &s->set, NULL), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    arrival_unref(s->set);
    session_close(s->session);
    tree_remove(s->root);
    free(s);
    return 0;
}

static struct arrival_file *add(struct scene *s, const char *name)
{
    struct arrival_file *f = NULL;
    bool temporary = arrival_kind_of(name) == ARRIVAL_TEMPORARY;
    assert_int_equal(arrival_add(s->set, name, temporary, NULL, &f, NULL), 0);
    return f;
}

/* Writes it anew, as cp does; the result of its close. */
static int fill(struct arrival_file *f, const char *text)
{
    struct arrival_handle *h;
    assert_int_equal(arrival_truncate(f, 0, NULL, NULL), 0);
    assert_int_equal(arrival_open(f, true, NULL, &h, NULL), 0);
    assert_int_equal(arrival_write(h, text, strlen(text), 0, NULL, NULL), 0);
    int r = arrival_flush(h, false, NULL, NULL);
    arrival_close(h);
    return r;
}

/* A run of one shard: its manifest, its metastore, its archive. */
struct run {
    const char *names[3], *texts[3];
};

#define RUN(T)                                                                                     \
    {                                                                                              \
        {T ".manifest", T ".meta", T ".s1.tar.gz"},                                                \
        {                                                                                          \
            "{\"meta\":{\"fileName\":\"" T ".meta\",\"size\":4},\"limited\":false,\"files\":"      \
            "[{\"database\":\"db\",\"policy\":\"rp\",\"shardID\":1,\"fileName\":\"" T              \
            ".s1.tar.gz\",\"size\":1024,\"lastModified\":0}]}",                                    \
                "meta", "archive"                                                                  \
        }                                                                                          \
    }

static const struct run first = RUN(T1), second = RUN(T2);

static void free_files(struct arrival_file *files[3])
{
    for (int i = 0; i < 3; i++)
        arrival_file_free(files[i]);
}

static void expect_log(struct scene *s, const char *words)
{
    char text[65536];
    int fd = account_log_fd(session_account(s->session));
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = 0;
    text[n - 1] = 0;
    char *last = strrchr(text, '\n');
    if (!strstr(last ? last : text, words))
        fail_msg("the log ends with: %s", last ? last : text);
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum arrival_kind kind;
    } table[] = {
        {"meta.00", ARRIVAL_FINAL},
        {"db.rp.00002.00", ARRIVAL_FINAL},
        {T1 ".manifest", ARRIVAL_FINAL},
        {T1 ".s12.tar.gz", ARRIVAL_FINAL},
        {".done", ARRIVAL_FINAL},
        {"..done.aB3xYz", ARRIVAL_TEMPORARY},
        {".meta.00.aB3xYz", ARRIVAL_TEMPORARY},
        {".db.rp.00002.00.123456", ARRIVAL_TEMPORARY},
        {"." T1 ".s12.tar.gz.aB3xYz", ARRIVAL_TEMPORARY},
        {T1 ".meta.1a2b3c4d.partial", ARRIVAL_TEMPORARY},
        {"now.tar", ARRIVAL_NONE},
        {".now.tar.aB3xYz", ARRIVAL_NONE},
        {"now.tar.gz", ARRIVAL_NONE},
        {"influx.s3.tar.gz", ARRIVAL_NONE},
        {"20200101T0000.s3.tar.gz", ARRIVAL_NONE},
        {"0.tar", ARRIVAL_NONE},
        {".", ARRIVAL_NONE},
        {"..", ARRIVAL_NONE},
        {"", ARRIVAL_NONE},
        {"meta", ARRIVAL_NONE},
        {"README", ARRIVAL_NONE},
        {"left_out", ARRIVAL_FINAL},
        {"left_out-00", ARRIVAL_FINAL},
        {T1 ".left_out", ARRIVAL_FINAL},
        {"left_outs", ARRIVAL_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (arrival_kind_of(table[i].name) != table[i].kind)
            fail_msg("%s: %d", table[i].name, arrival_kind_of(table[i].name));
}

/* In any order, only the last one brings the verdict. */
static void test_orders(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct scene *s = *state;
    for (int k = 0; k < 6; k++) {
        struct arrival_file *files[3] = {0};
        for (int i = 0; i < 3; i++) {
            files[i] = add(s, first.names[orders[k][i]]);
            assert_int_equal(fill(files[i], first.texts[orders[k][i]]), i < 2 ? 0 : -EBADMSG);
        }
        free_files(files);
    }
}

/* What has no manifest yet, and what is being written, holds the verdict back. */
static void test_waits_for_others(void **state)
{
    struct scene *s = *state;
    struct arrival_handle *h;
    struct arrival_file *a[3], *b[3];
    b[2] = add(s, second.names[2]);
    assert_int_equal(fill(b[2], second.texts[2]), 0);
    for (int i = 0; i < 3; i++) {
        a[i] = add(s, first.names[i]);
        assert_int_equal(fill(a[i], first.texts[i]), 0);
    }
    b[0] = add(s, second.names[0]);
    assert_int_equal(fill(b[0], second.texts[0]), 0);
    assert_int_equal(arrival_open(a[1], true, NULL, &h, NULL), 0);
    b[1] = add(s, second.names[1]);
    assert_int_equal(fill(b[1], second.texts[1]), 0);
    assert_int_equal(arrival_flush(h, false, NULL, NULL), 0); /* nothing was written by it */
    arrival_close(h);
    assert_int_equal(fill(b[1], second.texts[1]), -EBADMSG);
    free_files(a);
    free_files(b);
}

/* After a verdict, a whole run must come again. */
static void test_again(void **state)
{
    struct scene *s = *state;
    struct arrival_file *files[3];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 3; i++) {
            if (round == 0)
                files[i] = add(s, first.names[i]);
            assert_int_equal(fill(files[i], first.texts[i]), i < 2 ? 0 : -EBADMSG);
            assert_int_equal(arrival_size(files[i]), i < 2 ? strlen(first.texts[i]) : 0);
        }
    assert_true(arrival_refused(files[0]));
    assert_int_equal(arrival_done(s->set, NULL, NULL), -EBADMSG);
    free_files(files);
}

/* A flush in the middle, as when two programs write one after the other. */
static void test_goes_on_after_a_flush(void **state)
{
    struct scene *s = *state;
    struct arrival_handle *h;
    struct arrival_file *files[3];
    for (int i = 0; i < 3; i++)
        files[i] = add(s, first.names[i]);
    fill(files[0], first.texts[0]);
    fill(files[1], first.texts[1]);
    assert_int_equal(arrival_open(files[2], true, NULL, &h, NULL), 0);
    assert_int_equal(arrival_flush(h, false, NULL, NULL), 0); /* still empty */
    for (uint64_t at = 0; at < 3; at++) {
        assert_int_equal(arrival_write(h, "x", 1, at, NULL, NULL), 0);
        assert_int_equal(arrival_flush(h, false, NULL, NULL), -EBADMSG);
        assert_int_equal(arrival_flush(h, false, NULL, NULL), -EBADMSG); /* the same verdict */
    }
    arrival_close(h);
    free_files(files);
}

static void test_killed(void **state)
{
    struct scene *s = *state;
    struct arrival_handle *h;
    struct err why = {0};
    struct arrival_file *files[3];
    for (int i = 0; i < 3; i++)
        files[i] = add(s, first.names[i]);
    fill(files[0], first.texts[0]);
    fill(files[1], first.texts[1]);
    assert_int_equal(arrival_open(files[2], true, NULL, &h, NULL), 0);
    assert_int_equal(arrival_write(h, "x", 1, 0, NULL, NULL), 0);
    assert_int_equal(arrival_flush(h, true, NULL, NULL), 0);
    arrival_close(h);
    assert_int_equal(arrival_done(s->set, NULL, &why), -EBADMSG);
    assert_non_null(strstr(why.text, first.names[2]));
    assert_int_equal(fill(files[2], "whole"), -EBADMSG);
    expect_log(s, "refused set: ");
    free_files(files);
}

/* rsync's way: the rename brings the verdict, and the file has the new name. */
static void test_renamed(void **state)
{
    struct scene *s = *state;
    bool renamed;
    struct arrival_file *files[3];
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), ".%s.aB3xYz", first.names[i]);
        files[i] = add(s, name);
        assert_int_equal(fill(files[i], first.texts[i]), 0);
        assert_int_equal(arrival_rename(files[i], first.names[i], false, NULL, &renamed, NULL),
                         i < 2 ? 0 : -EBADMSG);
        assert_true(renamed);
    }
    /* A new one in the place of an old one. */
    struct arrival_file *other = add(s, ".x.meta.aB3xYz");
    assert_int_equal(fill(other, "meta"), 0);
    assert_int_equal(arrival_rename(other, first.names[1], false, NULL, &renamed, NULL), 0);
    assert_int_equal(fill(files[0], first.texts[0]), 0);
    assert_int_equal(fill(files[2], first.texts[2]), -EBADMSG);
    arrival_file_free(other);
    free_files(files);
}

static void test_done(void **state)
{
    struct scene *s = *state;
    struct err why = {0};
    struct arrival_file *meta = add(s, "meta.00"), *manifest;
    assert_int_equal(fill(meta, "meta"), 0);
    assert_true(arrival_waits(s->set));
    assert_int_equal(arrival_done(s->set, NULL, &why), -EBADMSG); /* its magic is wrong */
    assert_false(arrival_waits(s->set));
    arrival_remove(meta);
    manifest = add(s, first.names[0]);
    assert_int_equal(fill(manifest, "[]"), -EBADMSG);
    assert_int_equal(fill(manifest, first.texts[0]), 0);
    assert_int_equal(arrival_done(s->set, NULL, &why), -EBADMSG);
    assert_non_null(strstr(why.text, "is missing"));
    arrival_file_free(manifest);
    arrival_file_free(meta);
}

static void test_dropped(void **state)
{
    struct scene *s = *state;
    struct arrival_handle *h;
    struct err why = {0};
    struct arrival_file *files[2];
    for (int i = 0; i < 2; i++) {
        files[i] = add(s, first.names[i]);
        assert_int_equal(fill(files[i], first.texts[i]), 0);
    }
    assert_int_equal(arrival_open(files[0], true, NULL, &h, NULL), 0);
    arrival_drop(s->set);
    expect_log(s, "refused set: never complete: " T1 ".s1.tar.gz is missing");
    assert_int_equal(arrival_write(h, "x", 1, 0, NULL, NULL), 0); /* into nowhere */
    assert_int_equal(arrival_flush(h, false, NULL, NULL), 0);
    arrival_close(h);
    assert_int_equal(arrival_open(files[1], false, NULL, &h, &why), -ESTALE);
    assert_int_equal(arrival_done(s->set, NULL, &why), -ESTALE);
    char *left = tree_text(s->root);
    assert_null(strstr(left, "/sets"));
    free(left);
    arrival_file_free(files[0]);
    arrival_file_free(files[1]);
}

static void *judge_on(void *arg)
{
    int r;
    struct err why;
    while ((r = arrival_done(arg, NULL, &why)) == -EBADMSG || r == -EINTR)
        ;
    assert_int_equal(r, -ESTALE);
    return NULL;
}

/* Whoever waits for the verdict while the set is dropped, and would have it judged again. */
static void test_dropped_while_judged(void **state)
{
    struct scene *s = *state;
    arrival_unref(s->set);
    for (int i = 0; i < 20; i++) {
        pthread_t threads[3];
        struct arrival_file *meta;
        struct err why;
        assert_int_equal(arrival_new(s->session, "set", NULL, &s->set, &why), 0);
        meta = add(s, "meta.00");
        assert_int_equal(fill(meta, "meta"), 0);
        for (int k = 0; k < 3; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, judge_on, s->set), 0);
        assert_int_equal(usleep((useconds_t)i * 100), 0);
        arrival_drop(s->set);
        for (int k = 0; k < 3; k++)
            assert_int_equal(pthread_join(threads[k], NULL), 0);
        arrival_file_free(meta);
        arrival_unref(s->set);
    }
    assert_int_equal(arrival_new(s->session, "set", NULL, &s->set, NULL), 0);
}

static void test_legacy_is_never_complete_by_itself(void **state)
{
    struct scene *s = *state;
    struct arrival_file *meta = add(s, "meta.00"), *shard = add(s, "db.rp.00001.00");
    assert_int_equal(fill(meta, "meta"), 0);
    assert_int_equal(fill(shard, "shard"), 0);
    arrival_drop(s->set);
    expect_log(s, "never complete: a legacy set is complete when .done is created in its folder");
    arrival_file_free(meta);
    arrival_file_free(shard);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        TEST(test_orders),
        TEST(test_waits_for_others),
        TEST(test_again),
        TEST(test_goes_on_after_a_flush),
        TEST(test_killed),
        TEST(test_renamed),
        TEST(test_done),
        TEST(test_dropped),
        TEST(test_dropped_while_judged),
        TEST(test_legacy_is_never_complete_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
