/* SPDX-License-Identifier: MIT */
/* tsmwriter: files that are read again, whole, cut into several, with a spooled index, and with
 * blocks that are copied; and what it refuses. */
#include "store/influx/tsmwriter.h"
#include "tests/unit/tsm_builder.h"

#include "store/influx/tsmfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct err err;

/* The files that were written, one after the other. */
struct written {
    struct buffer files[40];
    unsigned n;
    bool open;
    int fail_at; /* the call that fails; 0: none */
};

static int step(struct written *t, struct err *e)
{
    return t->fail_at && --t->fail_at == 0 ? err_set(e, -ENOSPC, "no more") : 0;
}

static int begin(void *ctx, unsigned i, struct err *e)
{
    struct written *t = ctx;
    assert_false(t->open);
    assert_int_equal(i, t->n);
    assert_true(t->n < 40);
    t->n++;
    t->open = true;
    return step(t, e);
}

static int append(void *ctx, const void *buf, size_t n, struct err *e)
{
    struct written *t = ctx;
    assert_true(t->open);
    buffer_add(&t->files[t->n - 1], buf, n);
    return step(t, e);
}

static int end(void *ctx, uint64_t size, struct err *e)
{
    struct written *t = ctx;
    assert_true(t->open);
    assert_int_equal(size, t->files[t->n - 1].n);
    t->open = false;
    return step(t, e);
}

static void forget(struct written *t)
{
    for (unsigned i = 0; i < t->n; i++)
        buffer_free(&t->files[i]);
    *t = (struct written){.n = 0};
}

static struct tsmwriter *writer_to(struct written *t, uint64_t file_size)
{
    const struct tsmwriter_output output = {begin, append, end, t, file_size};
    struct tsmwriter *w = NULL;
    static int folder = -1;
    if (folder < 0)
        folder = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    err.text[0] = '\0';
    assert_int_equal(tsmwriter_new(&output, folder, &w, &err), 0);
    return w;
}

static struct slice key_of(const char *key)
{
    return (struct slice){key, strlen(key)};
}

/* What all files hold, as text, each key once, and how many blocks that were; checks their form. */
static struct buffer text_of(struct written *t, size_t *nblocks)
{
    struct buffer out = {0}, last = {0};
    struct tsmblock b = {0};
    *nblocks = 0;
    for (unsigned i = 0; i < t->n; i++) {
        cleanup(tsmfile_freep) struct tsmfile *f = NULL;
        struct source s = source_of(&t->files[i]);
        struct tsmfile_key key;
        int r = tsmfile_open(&s, &f, &err);
        while (r >= 0 && (r = tsmfile_next(f, &key, &err)) == 1) {
            if (key.len != last.n || memcmp(key.key, last.p, key.len) != 0)
                buffer_text(&out, "\n%.*s %d", (int)key.len, key.key, key.type);
            last.n = 0;
            buffer_add(&last, key.key, key.len);
            for (size_t k = 0; r >= 0 && k < key.nentries; k++, ++*nblocks) {
                struct tsmfile_entry entry = tsmfile_entry(&key, k);
                r = tsmfile_block(f, &entry, key.type, &b, &err);
                for (size_t v = 0; v < b.n && key.type == VALUE_STRING; v++) {
                    buffer_text(&out, " %lld=", (long long)b.times[v]);
                    buffer_add(&out, b.strings + b.values[v].s.off, b.values[v].s.len);
                }
                for (size_t v = 0; v < b.n && key.type != VALUE_STRING; v++)
                    buffer_text(&out, " %lld=%lld", (long long)b.times[v],
                                (long long)b.values[v].i);
            }
        }
        if (r < 0)
            fail_msg("%s", err.text);
    }
    tsmblock_free(&b);
    buffer_free(&last);
    return out;
}

/* Writes keys of integers, and the text that they are. */
static struct buffer write_keys(struct tsmwriter *w, size_t nkeys, size_t nvalues)
{
    struct buffer wanted = {0};
    char key[64];
    for (size_t k = 0; k < nkeys; k++) {
        snprintf(key, sizeof(key), "cpu,host=server%07zu#!~#value", k);
        assert_int_equal(tsmwriter_key(w, key_of(key), VALUE_INTEGER, &err), 0);
        buffer_text(&wanted, "\n%s %d", key, VALUE_INTEGER);
        for (size_t i = 0; i < nvalues; i++) {
            union value v = {.i = (int64_t)(i * i + k)};
            int64_t time = (int64_t)(i * 1000 + i % 7);
            assert_int_equal(tsmwriter_value(w, time, &v, NULL, &err), 0);
            buffer_text(&wanted, " %lld=%lld", (long long)time, (long long)v.i);
        }
    }
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    return wanted;
}

static void check_written(struct written *t, struct buffer *wanted, unsigned nfiles, size_t nblocks)
{
    size_t n;
    struct buffer got = text_of(t, &n);
    assert_int_equal(got.n, wanted->n);
    assert_memory_equal(got.p, wanted->p, got.n);
    assert_int_equal(n, nblocks);
    assert_true(nfiles ? t->n == nfiles : t->n > 1);
    buffer_free(&got);
    buffer_free(wanted);
    forget(t);
}

static void test_blocks_of_1000(void **state)
{
    (void)state;
    static const size_t values[] = {1, 2, 999, 1000, 1001, 2500};
    static const size_t blocks[] = {1, 1, 1, 1, 2, 3};
    for (size_t i = 0; i < 6; i++) {
        struct written t = {.n = 0};
        cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, TSMWRITER_FILE_SIZE);
        struct buffer wanted = write_keys(w, 3, values[i]);
        check_written(&t, &wanted, 1, 3 * blocks[i]);
    }
}

/* An index of 6 MB, of which most waits in the nameless file. */
static void test_spooled_index(void **state)
{
    (void)state;
    struct written t = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, TSMWRITER_FILE_SIZE);
    struct buffer wanted = write_keys(w, 90000, 1);
    check_written(&t, &wanted, 1, 90000);
}

/* A key goes on in the next file; each file has a whole index of its own. */
static void test_several_files(void **state)
{
    (void)state;
    for (size_t size = 4000; size <= 12000; size += 1000) {
        struct written t = {.n = 0};
        cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, size);
        struct buffer wanted = write_keys(w, 7, 4321);
        check_written(&t, &wanted, 0, 7 * 5);
    }
}

static void test_types(void **state)
{
    (void)state;
    struct written t = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, TSMWRITER_FILE_SIZE);
    struct buffer wanted = {0};
    for (int type = 0; type < VALUE_TYPES; type++) {
        char key[] = {(char)('a' + type), 0};
        assert_int_equal(tsmwriter_key(w, key_of(key), (enum value_type)type, &err), 0);
        union value v = {.u = 1};
        if (type == VALUE_STRING)
            v.s = (__typeof__(v.s)){3, 5};
        assert_int_equal(tsmwriter_value(w, -5, &v, "...hello", &err), 0);
        buffer_text(&wanted, type == VALUE_STRING ? "\n%s %d -5=hello" : "\n%s %d -5=1", key, type);
    }
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    check_written(&t, &wanted, 1, VALUE_TYPES);
}

/* Strings that would take too much memory in one block end it early. */
static void test_long_strings(void **state)
{
    (void)state;
    struct written t = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, TSMWRITER_FILE_SIZE);
    const size_t n = (size_t)1 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    assert_int_equal(tsmwriter_key(w, key_of("k"), VALUE_STRING, &err), 0);
    for (int64_t i = 0; i < 40; i++) {
        union value v = {.s = {0, (uint32_t)n}};
        assert_int_equal(tsmwriter_value(w, i, &v, text, &err), 0);
    }
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    size_t blocks;
    struct buffer got = text_of(&t, &blocks);
    assert_int_equal(blocks, 3);
    buffer_free(&got);
    forget(&t);
    free(text);
}

static void test_nothing(void **state)
{
    (void)state;
    struct written t = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, TSMWRITER_FILE_SIZE);
    assert_int_equal(tsmwriter_key(w, key_of("a"), VALUE_FLOAT, &err), 0);
    assert_int_equal(tsmwriter_key(w, key_of("b"), VALUE_FLOAT, &err), 0);
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    assert_int_equal(t.n, 0);
}

/* Copies a file block by block, a key without values in between; the bytes are the same. */
static void test_copied_blocks(void **state)
{
    (void)state;
    struct written from = {.n = 0}, to = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *first = writer_to(&from, TSMWRITER_FILE_SIZE);
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&to, UINT64_MAX);
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct buffer text = write_keys(first, 5, 2200);
    struct source s = source_of(&from.files[0]);
    struct tsmfile_key key;
    assert_int_equal(tsmfile_open(&s, &f, &err), 0);
    assert_int_equal(tsmwriter_key(w, key_of("before"), VALUE_FLOAT, &err), 0);
    while (tsmfile_next(f, &key, &err) == 1) {
        assert_int_equal(tsmwriter_key(w, (struct slice){key.key, key.len}, key.type, &err), 0);
        for (size_t i = 0; i < key.nentries; i++) {
            struct tsmfile_entry n = tsmfile_entry(&key, i);
            assert_int_equal(
                tsmwriter_block(w, from.files[0].p + n.offset + 4, n.size - 4, n.min, n.max, &err),
                0);
        }
    }
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    assert_int_equal(to.n, 1);
    assert_int_equal(to.files[0].n, from.files[0].n);
    assert_memory_equal(to.files[0].p, from.files[0].p, from.files[0].n);
    buffer_free(&text);
    forget(&from);
    forget(&to);
}

/* More blocks of a key than its count can say: the rest is in a second file. */
static void test_many_blocks_of_a_key(void **state)
{
    (void)state;
    struct written t = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, UINT64_MAX);
    struct buffer times = times_rle(0, 1, 1), values = integers_rle(1, 1);
    struct buffer b = block(VALUE_INTEGER, &times, &values);
    assert_int_equal(tsmwriter_key(w, key_of("k"), VALUE_INTEGER, &err), 0);
    for (int64_t i = 0; i < 65535 + 10; i++)
        assert_int_equal(tsmwriter_block(w, b.p, b.n, i, i, &err), 0);
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    assert_int_equal(t.n, 2);
    size_t blocks[2] = {65535, 10};
    for (unsigned i = 0; i < 2; i++) {
        cleanup(tsmfile_freep) struct tsmfile *f = NULL;
        struct source s = source_of(&t.files[i]);
        struct tsmfile_key key;
        assert_int_equal(tsmfile_open(&s, &f, &err), 0);
        assert_int_equal(tsmfile_next(f, &key, &err), 1);
        assert_int_equal(key.nentries, blocks[i]);
    }
    buffer_free(&b);
    forget(&t);
}

static void refuse(int (*what)(struct tsmwriter *w), const char *words)
{
    struct written t = {.n = 0};
    cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, TSMWRITER_FILE_SIZE);
    union value v = {.f = 1};
    assert_int_equal(tsmwriter_key(w, key_of("key"), VALUE_FLOAT, &err), 0);
    assert_int_equal(tsmwriter_value(w, 5, &v, NULL, &err), 0);
    assert_int_equal(what(w), -EINVAL);
    if (!strstr(err.text, words) || !strstr(err.text, "key"))
        fail_msg("%s", err.text);
    forget(&t);
}

static int same_time(struct tsmwriter *w)
{
    return tsmwriter_value(w, 5, &(union value){.f = 1}, NULL, &err);
}

static int nan_value(struct tsmwriter *w)
{
    return tsmwriter_value(w, 6, &(union value){.u = 0x7ff8000000000001}, NULL, &err);
}

static int earlier_block(struct tsmwriter *w)
{
    return tsmwriter_block(w, "0123456789", 10, 4, 8, &err);
}

static int same_key(struct tsmwriter *w)
{
    return tsmwriter_key(w, key_of("key"), VALUE_FLOAT, &err);
}

static int shorter_key(struct tsmwriter *w)
{
    return tsmwriter_key(w, key_of("ke"), VALUE_FLOAT, &err);
}

static int long_key(struct tsmwriter *w)
{
    static char key[65536];
    memset(key, 'z', sizeof(key));
    return tsmwriter_key(w, (struct slice){key, sizeof(key)}, VALUE_FLOAT, &err);
}

static void test_refused(void **state)
{
    (void)state;
    refuse(same_time, "not after the one before");
    refuse(nan_value, "NaN");
    refuse(earlier_block, "begins before");
    refuse(same_key, "not after it");
    refuse(shorter_key, "not after it");
    refuse(long_key, "too long");
}

/* An output that fails at any call ends the writing with its error. */
static void test_failing_output(void **state)
{
    (void)state;
    for (int at = 1; at <= 5; at++) {
        struct written t = {.fail_at = at};
        cleanup(tsmwriter_freep) struct tsmwriter *w = writer_to(&t, 4000);
        union value v = {.i = 0};
        int r = 0;
        for (int64_t i = 0; r == 0 && i < 200000; i++) {
            v.u = (uint64_t)i * (uint64_t)i * 12345678901;
            r = i ? 0 : tsmwriter_key(w, key_of("k"), VALUE_INTEGER, &err);
            if (r == 0)
                r = tsmwriter_value(w, i, &v, NULL, &err);
        }
        assert_int_equal(r, -ENOSPC);
        assert_string_equal(err.text, "no more");
        t.open = false;
        forget(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_1000), cmocka_unit_test(test_spooled_index),
        cmocka_unit_test(test_several_files),  cmocka_unit_test(test_types),
        cmocka_unit_test(test_long_strings),   cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_copied_blocks),  cmocka_unit_test(test_many_blocks_of_a_key),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_failing_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
