/* SPDX-License-Identifier: MIT */
/* remote: rclone as a process, by a script in its place that hangs, breaks off, lies or talks. What the
 * real one does with real stores is tested in tests/tree. */
#include "tests/unit/fake_rclone.h"

#include <signal.h>

/* Opening */

static int open_named(const char *name, char *const *extra, struct err *e)
{
    struct remote *r = NULL;
    const int code = remote_open(name, extra, &r, e);
    if (code == 0)
        remote_close(r);
    return code;
}

static void test_open(void **arg)
{
    (void)arg;
    struct err e = {0};
    remote_close(opened(""));
    assert_int_equal(open_named("other:base/x", NULL, &e), 0);
    assert_int_equal(open_named(":memory:", NULL, &e), 0);
    assert_int_equal(open_named(home, NULL, &e), 0);
    assert_int_equal(open_named("nobody:", NULL, &e), -ENOEXEC);
    assert_says(&e, "rclone config");
    assert_int_equal(open_named("/nowhere/at/all", NULL, &e), -ENOENT);
    assert_says(&e, "mount its disk");
}

static void test_open_without_rclone(void **arg)
{
    (void)arg;
    struct err e = {0};
    write_script("#!/bin/sh\necho 'rclone v1.53.3'\n");
    assert_int_equal(open_named("fake:", NULL, &e), -ENOEXEC);
    assert_says(&e, "older than 1.60");
    write_script("#!/bin/sh\necho 'Error: unknown flag: --x' >&2; exit 1\n");
    assert_int_equal(open_named("fake:", NULL, &e), -ENOEXEC);
    assert_says(&e, "unknown flag: --x");
    write_script("#!/nowhere/sh\n");
    assert_int_equal(open_named("fake:", NULL, &e), -ENOEXEC);
    assert_says(&e, "cannot be started");
    char *path = strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(open_named("fake:", NULL, &e), -ENOEXEC);
    assert_says(&e, "install");
    setenv("PATH", path, 1);
    free(path);
}

/* What would let rclone list, remove or print something else. */
static void test_filters(void **arg)
{
    (void)arg;
    static const char *const refused[] = {
        "--include=*.tar", "--include-from", "--filter", "-f- *", "--files-from-raw",
        "--max-age=1d",    "--dry-run=true", "-vn",      "-P",    "--progress",
        "--log-file=/x"};
    static const char *const taken[] = {
        "--bwlimit", "20M", "-v", "--swift-chunk-size=1M", "--config=/f/n", "--max-connections=3"};
    char *extra[] = {NULL, NULL};
    struct err e = {0};
    remote_close(opened(""));
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        extra[0] = (char *)refused[i];
        assert_int_equal(open_named("fake:", extra, &e), -EINVAL);
        assert_says(&e, refused[i]);
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++) {
        extra[0] = (char *)taken[i];
        assert_int_equal(open_named("fake:", extra, &e), 0);
    }
}

static void test_environment(void **arg)
{
    (void)arg;
    struct err e = {0};
    static const char *const kept[] = {"RCLONE_BWLIMIT", "RCLONE_CONFIG_FAKE_INCLUDE",
                                       "RCLONE_RETRIES"};
    static const char *const dropped[] = {"RCLONE_INCLUDE", "RCLONE_FILTER_FROM", "RCLONE_DRY_RUN",
                                          "RCLONE_MIN_AGE", "RCLONE_PROGRESS"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        setenv(kept[i], "7", 1);
    for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
        setenv(dropped[i], "7", 1);
    struct remote *r = opened("env | grep ^RCLONE_ | grep =7 | wc -l >$d/kept\n"
                              "env | grep ^RCLONE_ | grep -v =7 | wc -l >$d/added");
    assert_int_equal(remote_make(r, "c", &e), 0);
    assert_int_equal(number_in("kept"), 3);
    assert_int_equal(number_in("added"), 4); /* not the retries */
    remote_close(r);
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        unsetenv(kept[i]);
    for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
        unsetenv(dropped[i]);
}

/* A run of it */

static void test_exit_and_words(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote *r = opened("echo \"2026/01/02 03:04:05 Failed to mkdir: $(cat $d/words)\" >&2\n"
                              "exit $(cat $d/code)");
    static const struct {
        const char *words, *code;
        int expected;
    } cases[] = {{"whatever", "3", -ENOENT},
                 {"whatever", "5", -EAGAIN},
                 {"whatever", "1", -EIO},
                 {"Operation forbidden", "1", -EACCES},
                 {"Too Large Object", "1", -ENOSPC},
                 {"dial tcp 127.0.0.1:1: connect: connection refused", "1", -EAGAIN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        write_text("words", cases[i].words);
        write_text("code", cases[i].code);
        assert_int_equal(remote_make(r, "c/d", &e), cases[i].expected);
        assert_says(&e, "fake:c/d cannot be made: ");
        assert_says(&e, cases[i].words);
    }
    remote_close(r);
}

static void test_much_to_say(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote *r = opened("i=0; while [ $i -lt 20000 ]; do i=$((i+1));\n"
                              "echo \"2026/01/02 03:04:05 NOTICE: $i of very many\"; done >&2\n"
                              "echo '2026/01/02 03:04:05 Failed to mkdir: too much' >&2; exit 7");
    assert_int_equal(remote_make(r, "c", &e), -EIO);
    assert_string_equal(e.text, "fake:c cannot be made: too much");
    remote_close(r);
}

static void test_killed_by_others(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote *r = opened("kill -9 $$");
    assert_int_equal(remote_make(r, "c", &e), -EIO);
    assert_says(&e, "signal 9");
    remote_close(r);
}

/* What the child has started may live on, with its ends of our pipes. */
static void test_grandchild(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct buffer out = {0};
    const int64_t began = time_mono_ns();
    struct remote *r = opened("sleep 1000 & echo $! >$d/pid; echo abc; exit 0");
    assert_int_equal(remote_get(r, "c/x", 100, &out, &e), 0);
    assert_int_equal(out.n, 4);
    assert_true(time_mono_ns() - began < PATIENCE);
    kill((pid_t)number_in("pid"), SIGKILL);
    buffer_free(&out);
    remote_close(r);
}

/* Listing */

static void test_list(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote_list l = {0};
    struct remote *r =
        opened("cat <<'END'\n[\n"
               "{\"Path\":\"b\",\"Name\":\"b\",\"Size\":12,\"IsDir\":false},\n"
               "{\"Path\":\"a\",\"Name\":\"a\",\"Size\":-1,\"IsDir\":true},\n"
               "{\"Path\":\"a\",\"Name\":\"a\",\"Size\":7,\"IsDir\":false},\n"
               "{\"Path\":\"x\",\"Name\":\"..\",\"Size\":1,\"IsDir\":false},\n"
               "{\"Path\":\"x\",\"Name\":\"a/b\",\"Size\":1,\"IsDir\":false},\n"
               "{\"Path\":\"x\",\"Name\":\"\\n\",\"Size\":1,\"IsDir\":false},\n"
               "{\"Path\":\"x\",\"Name\":\"b\\u0000c\",\"Size\":1,\"IsDir\":true}\n]\nEND");
    /* The last of them has a NUL in its name, which no store has. */
    assert_int_equal(remote_list(r, "c", &l, &e), -EBADMSG);
    remote_close(r);
    r = opened("printf '[\\n{\"Name\":\"b\",\"Size\":12,\"IsDir\":false},\\n"
               "{\"Name\":\"a\",\"Size\":-1,\"IsDir\":true},\\n"
               "{\"Name\":\"a\",\"Size\":7,\"IsDir\":false},\\n"
               "{\"Name\":\"..\",\"Size\":7,\"IsDir\":false},\\n"
               "{\"Name\":\"a/b\",\"Size\":7,\"IsDir\":false},\\n"
               "{\"Name\":\"a\\\\nb\",\"Size\":7,\"IsDir\":false}\\n]\\n'");
    assert_int_equal(remote_list(r, "c", &l, &e), 0);
    assert_int_equal(l.n, 3);
    assert_int_equal(remote_list_find(&l, "a")->size, 7);
    assert_int_equal(remote_list_find(&l, "b")->size, 12);
    assert_null(remote_list_find(&l, "c"));
    remote_list_clear(&l);
    remote_close(r);
}

static void test_list_damaged(void **arg)
{
    (void)arg;
    static const char *const bodies[] = {
        "printf '[\\n{\"Name\":\"b\",\"Size\":12,\"IsDir\":false},\\n'", /* cut off */
        "printf '[\\n{\"Name\":\"b\",\"Size\":12,'",
        "printf 'nothing'",
        "exit 0",
        "printf '[\\n{\"Name\":3,\"Size\":12,\"IsDir\":false}\\n]\\n'",
        "printf '[\\n[]\\n]\\n'",
        "head -c 1000000 /dev/zero",
        "printf '[\\n]\\n[\\n]\\n{\\n'",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct err e = {0};
        struct remote_list l = {0};
        struct remote *r = opened(bodies[i]);
        assert_int_equal(remote_list(r, "c", &l, &e), -EBADMSG);
        assert_says(&e, "fake:c cannot be listed");
        remote_close(r);
    }
}

/* Reading */

#define STAT_100 "lsjson) echo '{\"Name\":\"x\",\"Size\":100,\"IsDir\":false}';;\n"

static void test_read_goes_on(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote_reader *f;
    char got[256];
    size_t n = 0;
    ssize_t k;
    /* 40 bytes and a broken connection, 30 and a good end that is none, and the rest. */
    struct remote *r =
        opened("case $1 in\n" STAT_100 "cat) echo \"$2\" >>$d/offsets; case $2 in\n"
               "--offset=0) head -c 40 /dev/zero | tr '\\0' a; echo '2026/01/02 03:04:05 Failed to "
               "cat: unexpected EOF' >&2; exit 5;;\n"
               "--offset=40) head -c 30 /dev/zero | tr '\\0' b;;\n"
               "*) head -c 30 /dev/zero | tr '\\0' c;; esac;; esac");
    remote_set_patience(r, PATIENCE);
    assert_int_equal(remote_read_open(r, "c/x", 100, &f, &e), 0);
    while ((k = remote_read(f, got + n, sizeof(got) - n, &e)) > 0)
        n += (size_t)k;
    if (k < 0)
        fail_msg("%s", e.text);
    assert_int_equal(n, 100);
    assert_memory_equal(got + 39, "ab", 2);
    assert_memory_equal(got + 69, "bc", 2);
    remote_read_close(f);
    remote_close(r);
}

static void test_read_wrong(void **arg)
{
    (void)arg;
    static const struct {
        const char *body;
        int code;
    } cases[] = {{"head -c 50 /dev/zero; exit 1", -EIO},
                 {"head -c 50 /dev/zero; exit 0", -EAGAIN},
                 {"head -c 101 /dev/zero; exit 0", -EBADMSG}};
    for (size_t i = 0; i < 3; i++) {
        struct err e = {0};
        struct remote_reader *f;
        char got[4096], script[512];
        ssize_t k;
        snprintf(script, sizeof(script), "case $1 in\n" STAT_100 "cat) %s;; esac", cases[i].body);
        struct remote *r = opened(script);
        assert_int_equal(remote_read_open(r, "c/x", 100, &f, &e), 0);
        while ((k = remote_read(f, got, sizeof(got), &e)) > 0)
            continue;
        assert_int_equal(k, cases[i].code);
        remote_read_close(f);
        remote_close(r);
    }
}

static void test_read_closed_early(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote_reader *f;
    char got[16];
    struct remote *r =
        opened("case $1 in\n" STAT_100 "cat) echo $$ >$d/pid; printf abc; exec sleep "
               "1000;; esac");
    assert_int_equal(remote_read_open(r, "c/x", 100, &f, &e), 0);
    assert_int_equal(remote_read(f, got, sizeof(got), &e), 3);
    remote_read_close(f);
    assert_int_equal(kill((pid_t)number_in("pid"), 0), -1);
    assert_int_equal(errno, ESRCH);
    remote_close(r);
}

/* Uploading */

static int put(struct remote *r, struct bytes *b, uint64_t size, struct err *e)
{
    const struct remote_source s = {read_bytes, b, size};
    return remote_put(r, "c/x", &s, e);
}

/* Marks that its input has ended, as rclone would commit what it has. */
#define COMMITS "cat >$d/got && echo >$d/committed"

static void test_put_ends(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct stat st;
    struct remote *r = opened("echo \"$@\" >$d/words; " COMMITS);
    struct bytes b = {.n = 1000000};
    assert_int_equal(put(r, &b, REMOTE_SIZE_UNKNOWN, &e), 0);
    assert_int_equal(put(r, &b, b.n, &e), 0);
    assert_true(is_there("committed"));
    assert_int_equal(stat(in_home("got"), &st), 0);
    assert_int_equal(st.st_size, b.n);
    b.n = 0;
    assert_int_equal(put(r, &b, 0, &e), 0);
    unlink(in_home("committed"));
    remote_close(r);
}

/* However it fails on our side, the input does not end. */
static void test_put_never_ends_short(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote *r = opened(COMMITS);
    struct bytes dirty = {.n = 1000000, .fail_at = 1000}, whole = {.n = 1000000};
    assert_int_equal(put(r, &dirty, REMOTE_SIZE_UNKNOWN, &e), -EUCLEAN);
    assert_string_equal(e.text, "the disk is dirty");
    assert_int_equal(put(r, &dirty, dirty.n, &e), -EUCLEAN);
    assert_int_equal(put(r, &whole, whole.n + 1, &e), -EIO);
    assert_says(&e, "ended before its size");
    assert_int_equal(put(r, &whole, whole.n - 1, &e), -EIO);
    assert_says(&e, "longer than its size");
    assert_int_equal(put(r, &whole, 0, &e), -EIO);
    assert_says(&e, "longer than its size");
    assert_false(is_there("committed"));
    remote_close(r);
}

static void test_put_refused(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct bytes b = {.n = 10000000}, few = {.n = 100000};
    struct remote *r = opened("head -c 10 >$d/got; exit 0");
    assert_int_equal(put(r, &b, b.n, &e), -EIO);
    assert_says(&e, "before it had read all");
    assert_int_equal(put(r, &few, few.n, &e), -EIO);
    assert_says(&e, "before it had read all");
    remote_close(r);
    r = opened(
        "head -c 10 >$d/got\necho '2026/01/02 03:04:05 Failed to rcat: Too Large Object' >&2; "
        "exit 1");
    assert_int_equal(put(r, &b, b.n, &e), -ENOSPC);
    assert_says(&e, "Too Large Object");
    remote_close(r);
}

/* Trying again */

static void test_patience(void **arg)
{
    (void)arg;
    struct err e = {0};
    struct remote *r = opened("echo >>$d/tries\n"
                              "[ $(wc -l <$d/tries) -ge 3 ] && exit 0\n"
                              "echo '2026/01/02 03:04:05 Failed to mkdir: connection refused' >&2\n"
                              "exit 1");
    assert_int_equal(remote_make(r, "c", &e), -EAGAIN);
    remote_set_patience(r, PATIENCE);
    assert_int_equal(remote_make(r, "c", &e), 0);
    remote_close(r);
    r = opened("echo '2026/01/02 03:04:05 Failed to mkdir: connection refused' >&2; exit 1");
    remote_set_patience(r, SECOND_NS / 2);
    assert_int_equal(remote_make(r, "c", &e), -EAGAIN);
    assert_says(&e, "tried again");
    remote_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_open_without_rclone),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_exit_and_words),
        cmocka_unit_test(test_much_to_say),
        cmocka_unit_test(test_killed_by_others),
        cmocka_unit_test(test_grandchild),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_damaged),
        cmocka_unit_test(test_read_goes_on),
        cmocka_unit_test(test_read_wrong),
        cmocka_unit_test(test_read_closed_early),
        cmocka_unit_test(test_put_ends),
        cmocka_unit_test(test_put_never_ends_short),
        cmocka_unit_test(test_put_refused),
        cmocka_unit_test(test_patience),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
