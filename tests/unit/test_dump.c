/* SPDX-License-Identifier: MIT */
/* dump: that a text goes on from each of its marks as if it had never stopped, with what it says of
 * omissions, and that it is as long as it is by counting. */
#include "store/export/dump.h"
#include "tests/unit/memory_capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct shard_times shards[] = {{1, 0, 1000}, {2, 1000, 2000}};

static struct buffer said;

static void say(void *ctx, const char *words)
{
    (void)ctx;
    buffer_string(&said, words);
    buffer_add(&said, "\n", 1);
}

static const struct gaps gaps = {.names = true, .say = say};

/* Two shards with all types, rows that share a time, and names that line protocol cannot express. */
static struct schema_cache *open_store(void)
{
    struct memory *m = memory_new();
    struct buffer wal = {0};
    struct schema_cache *c;
    struct err e = {0};
    memory_meta(m, shards, 2);
    memory_add(m, "data/db/rp/1", "000000001-000000001.tsm",
               TSM({"m#!~#a", VALUE_FLOAT, "1=0.5 2=1e30 3=-7 7=0.333333333333333314"},
                   {"m,t=a!b#!~#i", VALUE_INTEGER, "1=-1 2=22 3=333"},
                   {"m,t=a#!~#a", VALUE_FLOAT, "1=1 2=2 3=3 4=4"},
                   {"m,t=a#!~#s", VALUE_STRING, "1=some 3=\"quoted\\\" 5=<&>"},
                   {"m,t=no\nway#!~#i", VALUE_INTEGER, "1=1 2=2 3=3"},
                   {"m,t=u#!~#bad\nfield", VALUE_BOOLEAN, "1=true 2=false 3=true 9=true"},
                   {"m,t=u#!~#u", VALUE_BOOLEAN, "1=true 2=false 3=true"}));
    memory_add(m, "data/db/rp/2", "000000001-000000001.tsm",
               TSM({"m,t=a#!~#a", VALUE_FLOAT, "1001=1 1002=2"},
                   {"m,t=no\nway#!~#i", VALUE_INTEGER, "1001=1"},
                   {"m,t=u#!~#bad\nfield", VALUE_BOOLEAN, "1001=true"},
                   {"m,t=z#!~#i", VALUE_INTEGER, "1001=1 1002=2 1003=3"}));
    wal_write(&wal, FIELDS({"m,t=a#!~#a", VALUE_FLOAT, "1002=22.5 1005=5"}));
    memory_add(m, "wal/db/rp/2", "_00001.wal", wal);
    if (schema_cache_open(&m->c, NULL, NULL, &c, &e) < 0)
        fail_msg("%s", e.text);
    capture_unref(&m->c);
    return c;
}

static struct dump *open_dump(struct schema_cache *c, enum dump_format format)
{
    const struct dump_query q = {.db = "db",
                                 .rp = "rp",
                                 .measurement = "m",
                                 .n = 1,
                                 .to = 2000,
                                 .format = format,
                                 .gaps = &gaps};
    struct dump *d;
    struct err e = {0};
    said.n = 0;
    if (dump_open(c, &q, &d, &e) < 0)
        fail_msg("%s", e.text);
    return d;
}

static void read_rest(struct dump *d, struct buffer *out)
{
    char buf[100];
    struct err e = {0};
    ssize_t n;
    while ((n = dump_read(d, buf, sizeof(buf), &e)) > 0)
        buffer_add(out, buf, (size_t)n);
    assert_int_equal(n, 0);
    buffer_add(out, "", 0);
}

/* A text, and all that is said while it is made. */
struct whole {
    struct buffer text, said;
};

static struct whole read_whole(struct schema_cache *c, enum dump_format format)
{
    struct whole w = {0};
    struct dump *d = open_dump(c, format);
    read_rest(d, &w.text);
    dump_free(d);
    buffer_add(&w.said, said.p, said.n);
    return w;
}

static void whole_free(struct whole *w)
{
    buffer_free(&w->text);
    buffer_free(&w->said);
}

/* From a mark on there is the rest of the text, and what is said while that is made. */
static void check_mark(struct schema_cache *c, enum dump_format format, const struct whole *whole,
                       size_t at, const struct buffer *mark)
{
    struct buffer rest = {0};
    struct err e = {0};
    struct dump *d = open_dump(c, format);
    if (dump_resume(d, (struct slice){mark->p, mark->n}, &e) < 0)
        fail_msg("%s", e.text);
    read_rest(d, &rest);
    assert_int_equal(rest.n, whole->text.n - at);
    assert_memory_equal(rest.p, whole->text.p + at, rest.n);
    assert_true(said.n <= whole->said.n);
    assert_memory_equal(whole->said.p + whole->said.n - said.n, said.p, said.n);
    dump_free(d);
    buffer_free(&rest);
}

/* No part of a mark is one. */
static void check_broken(struct schema_cache *c, enum dump_format format, const struct buffer *mark)
{
    for (size_t n = 0; n < mark->n; n++) {
        struct err e = {0};
        struct dump *d = open_dump(c, format);
        assert_int_equal(dump_resume(d, (struct slice){mark->p, n}, &e), -EINVAL);
        assert_true(e.text[0] != 0);
        dump_free(d);
    }
}

/* Goes on from a mark, unless empty, to the next one, which takes its place; false: there is none before
 * the end. Asks for one after each read of a few bytes. */
static bool next_mark(struct schema_cache *c, enum dump_format format, struct buffer *mark,
                      size_t *at)
{
    struct dump *d = open_dump(c, format);
    struct buffer next = {0};
    char buf[16];
    struct err e = {0};
    ssize_t n = 1;
    int r = mark->n ? dump_resume(d, (struct slice){mark->p, mark->n}, &e) : 0;
    assert_int_equal(r, 0);
    while ((r = dump_mark(d, &next)) == -EAGAIN && n > 0) {
        assert_int_equal(next.n, 0);
        n = dump_read(d, buf, 1 + *at % sizeof(buf), &e);
        assert_true(n >= 0);
        *at += (size_t)n;
    }
    assert_true(r == 0 || r == -EAGAIN);
    dump_free(d);
    buffer_free(mark);
    *mark = next;
    return r == 0;
}

/* Returns the number of marks. */
static size_t check_marks(struct schema_cache *c, enum dump_format format)
{
    struct whole whole = read_whole(c, format);
    struct buffer mark = {0};
    size_t at = 0, marks = 0;
    for (; next_mark(c, format, &mark, &at); marks++) {
        check_mark(c, format, &whole, at, &mark);
        check_broken(c, format, &mark);
    }
    assert_int_equal(at, whole.text.n);
    buffer_free(&mark);
    whole_free(&whole);
    return marks;
}

static void test_marks(void **state)
{
    struct schema_cache *c = *state;
    assert_int_equal(check_marks(c, DUMP_LP), 21);   /* a row each */
    assert_int_equal(check_marks(c, DUMP_JSON), 11); /* a time each */
    assert_int_equal(check_marks(c, DUMP_CSV), 11);
}

/* Pieces end early for a mark that is asked for, and no longer when nobody asks. */
static void test_mark_not_taken(void **state)
{
    struct dump *d = open_dump(*state, DUMP_LP);
    struct buffer mark = {0};
    struct err e = {0};
    char first[4096];
    size_t pieces = 0;
    ssize_t n;
    assert_int_equal(dump_mark(d, &mark), -EAGAIN); /* nothing was made yet */
    while ((n = dump_read(d, first, sizeof(first), &e)) > 0)
        pieces++;
    assert_int_equal(n, 0);
    assert_int_equal(pieces, 2);
    dump_free(d);
}

static void test_counted(void **state)
{
    static const enum dump_format formats[] = {DUMP_JSON, DUMP_CSV, DUMP_LP};
    for (size_t i = 0; i < 3; i++) {
        struct whole whole = read_whole(*state, formats[i]);
        struct dump *d = open_dump(*state, formats[i]);
        struct err e = {0};
        struct buffer rest = {0};
        char first[10];
        size_t counted = 0;
        ssize_t n;
        while ((n = dump_read(d, NULL, SIZE_MAX, &e)) > 0)
            counted += (size_t)n;
        assert_int_equal(counted, whole.text.n);
        assert_int_equal(said.n, whole.said.n);
        dump_free(d);
        /* What was made is not made again. */
        d = open_dump(*state, formats[i]);
        assert_int_equal(dump_read(d, first, sizeof(first), &e), sizeof(first));
        assert_int_equal(dump_read(d, NULL, 5, &e), 5);
        read_rest(d, &rest);
        assert_int_equal(rest.n, whole.text.n - 15);
        assert_memory_equal(rest.p, whole.text.p + 15, rest.n);
        dump_free(d);
        buffer_free(&rest);
        whole_free(&whole);
    }
}

static int setup(void **state)
{
    *state = open_store();
    return 0;
}

static int teardown(void **state)
{
    schema_cache_unref(*state);
    buffer_free(&said);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mark_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
