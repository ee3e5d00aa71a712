/* SPDX-License-Identifier: MIT */
/* putting: uploads that are verified, and tried again, against a script in the place of rclone. */
#include "mount-helper/nightly/putting.h"

#include "tests/unit/fake_rclone.h"

/* A store in $d/store, by rclone's words; a test says what goes wrong before them. */
#define STORE                                                                                      \
    "f=$d/store/${last#fake:}\n"                                                                   \
    "case $1 in\n"                                                                                 \
    "rcat) mkdir -p ${f%/*}; cat >$f;;\n"                                                          \
    "deletefile) [ -e $f ] && rm $f || { echo '2026/01/02 03:04:05 Failed to deletefile: is a "    \
    "directory or doesn'\\''t exist' >&2; exit 1; };;\n"                                           \
    "lsjson) if [ $2 = --stat ] && [ -f $f ]; then\n"                                              \
    "echo \"{\\\"Name\\\":\\\"x\\\",\\\"Size\\\":$(stat -c %s $f),\\\"IsDir\\\":false}\"\n"        \
    "elif [ $2 = --stat ]; then echo '{\"Name\":\"\",\"Size\":-1,\"IsDir\":true}'\n"               \
    "else printf '[\\n]\\n'; fi;;\n"                                                               \
    "cat) cat $f;;\n"                                                                              \
    "esac\n"

static int putting(struct remote *r, struct bytes *b, enum putting_verify verify, bool fixed,
                   struct put_object *out, struct err *e)
{
    struct meter m = {.done = 5};
    const struct putting p = {.remote = r, .verify = verify, .meter = &m, .fixed = fixed};
    const struct remote_source s = {read_bytes, b, b->n};
    *out = (struct put_object){0};
    b->attempts = 0;
    const int code = putting_object(&p, "c/day", "a.tar.000", &s, out, e);
    assert_int_equal(m.done, 5 + (code == 0 ? b->n : 0));
    return code;
}

static void assert_put(struct remote *r, struct bytes *b, enum putting_verify verify, bool fixed,
                       const char *name, unsigned attempts)
{
    struct err e = {0};
    struct put_object o;
    char path[64];
    struct stat st;
    if (putting(r, b, verify, fixed, &o, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(o.name, name);
    assert_int_equal(b->attempts, attempts);
    assert_int_equal(o.size, b->n);
    snprintf(path, sizeof(path), "store/c/day/%s", name);
    assert_int_equal(stat(in_home(path), &st), 0);
    assert_int_equal(st.st_size, b->n);
    unlink(in_home(path));
    assert_int_equal(rmdir(in_home("store/c/day")), 0); /* nothing else is left */
    free(o.name);
}

static void test_putting(void **arg)
{
    (void)arg;
    struct bytes b = {.n = 3000000}, few = {.n = 3};
    struct err e = {0};
    struct put_object o;
    struct remote *r = opened(STORE);
    assert_put(r, &b, PUTTING_READ, false, "a.tar.000", 1);
    assert_int_equal(putting(r, &few, PUTTING_SIZE, false, &o, &e), 0);
    assert_string_equal(o.sha256,
                        "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc");
    assert_string_equal(o.md5, "b95f67f61ebb03619622d798f45fc2d3");
    free(o.name);
    assert_int_equal(unlink(in_home("store/c/day/a.tar.000")), 0);
    remote_close(r);
}

/* The first time, the connection breaks or the bytes are not what was sent. */
#define ONCE(what) "[ $1 = rcat ] && [ ! -e $d/once ] && { >$d/once; " what "; }\n" STORE

static void test_putting_again(void **arg)
{
    (void)arg;
    struct bytes b = {.n = 3000000};
    static const char *const bodies[] = {
        ONCE("mkdir -p $d/store/c/day; head -c 2000000 >$d/store/c/day/a.tar.000; echo '2026/01/02 "
             "03:04:05 Failed to rcat: connection reset by peer' >&2; exit 5"),
        ONCE("mkdir -p $d/store/c/day; { cat; echo; } >$d/store/c/day/a.tar.000; exit 0"),
        ONCE("mkdir -p $d/store/c/day; tr '\\1' '\\2' >$d/store/c/day/a.tar.000; exit 0"),
    };
    for (unsigned i = 0; i < 6; i++) {
        struct remote *r = opened(bodies[i / 2]);
        remote_set_patience(r, PATIENCE);
        unlink(in_home("once"));
        assert_put(r, &b, i / 2 == 2 ? PUTTING_READ : PUTTING_SIZE, i % 2,
                   i % 2 ? "a.tar.000" : "a-2.tar.000", 2);
        remote_close(r);
    }
}

static void test_putting_gives_up(void **arg)
{
    (void)arg;
    static const struct {
        const char *body, *says;
        int code;
    } cases[] = {
        {"[ $1 = rcat ] && { mkdir -p $d/store/c/day; cat >$d/all; head -c 7 $d/all "
         ">$d/store/c/day/${last##*/}; exit 0; }\n" STORE,
         "it has 7 bytes instead of 3000000", -EBADMSG},
        {"[ $1 = rcat ] && { cat >/dev/null; exit 0; }\n" STORE, "no such object", -EBADMSG},
        {"[ $1 = rcat ] && { echo '2026/01/02 03:04:05 Failed to rcat: Operation forbidden' >&2; "
         "exit 1; }\n" STORE,
         "Operation forbidden", -EACCES},
        {"[ $1 = rcat ] && { cat >/dev/null; mkdir -p $d/store/c/day; exit 0; }\n"
         "[ $1 = deletefile ] && { echo '2026/01/02 03:04:05 Failed to deletefile: Operation "
         "forbidden' >&2; exit 1; }\n" STORE,
         "what came of it is left there", -EACCES},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bytes b = {.n = 3000000};
        struct err e = {0};
        struct put_object o;
        struct remote *r = opened(cases[i].body);
        assert_int_equal(putting(r, &b, PUTTING_SIZE, false, &o, &e), cases[i].code);
        assert_says(&e, cases[i].says);
        rmdir(in_home("store/c/day"));
        assert_false(is_there("store/c/day")); /* nothing is left */
        remote_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_putting),
        cmocka_unit_test(test_putting_again),
        cmocka_unit_test(test_putting_gives_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
