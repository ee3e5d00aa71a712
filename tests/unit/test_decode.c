/* SPDX-License-Identifier: MIT */
/* tsmblock, tsmfile, tombstone, walread, serieskey: what they read, and damage of every kind. */
#include "store/influx/serieskey.h"
#include "store/influx/tombstone.h"
#include "store/influx/tsmfile.h"
#include "store/influx/walentry.h"
#include "tests/unit/chance.h"
#include "tests/unit/tsm_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct err err;

static int decode(struct tsmblock *b, const struct buffer *in)
{
    /* A copy of exactly these bytes, so that a sanitizer sees reads behind them. */
    autofree char *copy = malloc(in->n + 1);
    char *exact = realloc(copy, in->n ? in->n : 1);
    copy = exact;
    memcpy(copy, in->p, in->n);
    err.text[0] = '\0';
    int r = tsmblock_decode(b, copy, in->n, &err);
    assert_true(r == 0 || (r == -EBADMSG && err.text[0] && b->n == 0));
    return r;
}

/* Cut anywhere it is an error; with any bit flipped it is one, or some points in order. */
static void check_damage(const struct buffer *in)
{
    struct tsmblock b = {0};
    for (size_t n = 0; n < in->n; n++)
        assert_int_equal(decode(&b, &(struct buffer){.p = in->p, .n = n}), -EBADMSG);
    for (size_t bit = 0; bit < in->n * 8; bit++) {
        in->p[bit / 8] ^= (char)(1 << bit % 8);
        if (decode(&b, in) == 0)
            for (size_t i = 1; i < b.n; i++)
                assert_true(b.times[i] >= b.times[i - 1]);
        in->p[bit / 8] ^= (char)(1 << bit % 8);
    }
    tsmblock_free(&b);
}

/* Times of each encoding against integers that count up. */
static void check_times(const struct buffer *times, const int64_t *t, size_t n)
{
    struct tsmblock b = {0};
    struct buffer copy = {0}, values = integers_rle(5, n);
    buffer_add(&copy, times->p, times->n);
    struct buffer in = block(VALUE_INTEGER, &copy, &values);
    assert_int_equal(decode(&b, &in), 0);
    assert_int_equal(b.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(b.times[i] == t[i]);
        assert_true(b.values[i].i == 5 + (int64_t)i);
    }
    if (n < 40)
        check_damage(&in);
    tsmblock_free(&b);
    buffer_free(&in);
}

static void test_times(void **state)
{
    (void)state;
    static int64_t t[3000];
    static uint64_t delta[3000];
    for (int round = 0; round < 200; round++) {
        struct buffer raw = {0}, packed = {0};
        size_t n = 1 + random64() % (round % 2 ? 3000 : 30);
        uint64_t divisor = 1, bits = random64() % 40;
        int exponent = (int)(random64() % 5);
        for (int i = 0; i < exponent; i++)
            divisor *= 10;
        t[0] = (int64_t)random_bits(62) - (INT64_C(1) << 61);
        for (size_t i = 1; i < n; i++) {
            delta[i] = round % 3 ? random_bits((unsigned)bits) : random64() % 50 ? 1 : 0;
            t[i] = t[i - 1] + (int64_t)(delta[i] * divisor);
        }
        buffer_add(&raw, "\0", 1);
        for (size_t i = 0; i < n; i++)
            add_be(&raw, (uint64_t)(i ? t[i] - t[i - 1] : t[i]), 8);
        add_be(&packed, 0x10 | (uint64_t)exponent, 1);
        add_be(&packed, (uint64_t)t[0], 8);
        add_simple8b(&packed, delta + 1, n - 1);
        check_times(&raw, t, n);
        check_times(&packed, t, n);
        buffer_free(&raw);
        buffer_free(&packed);
    }
    t[0] = -7;
    for (int i = 1; i < 30; i++)
        t[i] = t[i - 1] + 4000;
    struct buffer rle = times_rle(-7, 4, 30);
    rle.p[0] |= 3;
    check_times(&rle, t, 30);
    buffer_free(&rle);
}

static void check_integers(const struct buffer *values, const int64_t *v, size_t n,
                           enum value_type type)
{
    struct tsmblock b = {0};
    struct buffer copy = {0}, times = times_rle(1, 1, n);
    buffer_add(&copy, values->p, values->n);
    struct buffer in = block(type, &times, &copy);
    assert_int_equal(decode(&b, &in), 0);
    assert_int_equal(b.type, type);
    for (size_t i = 0; i < n; i++)
        assert_true(b.values[i].i == v[i]);
    if (n < 40)
        check_damage(&in);
    tsmblock_free(&b);
    buffer_free(&in);
}

static void test_integers(void **state)
{
    (void)state;
    static int64_t v[3000];
    static uint64_t delta[3000];
    for (int round = 0; round < 200; round++) {
        struct buffer raw = {0}, packed = {0};
        size_t n = 1 + random64() % (round % 2 ? 3000 : 30);
        for (size_t i = 0; i < n; i++) {
            delta[i] = i ? random_bits(random64() % 60) : random64();
            int64_t step = (int64_t)(delta[i] >> 1 ^ (0 - (delta[i] & 1)));
            v[i] = (int64_t)((uint64_t)(i ? v[i - 1] : 0) + (uint64_t)step);
        }
        buffer_add(&raw, "\0", 1);
        for (size_t i = 0; i < n; i++)
            add_be(&raw, delta[i], 8);
        buffer_add(&packed, "\x10", 1);
        add_be(&packed, delta[0], 8);
        add_simple8b(&packed, delta + 1, n - 1);
        check_integers(&raw, v, n, VALUE_INTEGER);
        check_integers(&packed, v, n, VALUE_UNSIGNED);
        buffer_free(&raw);
        buffer_free(&packed);
    }
}

static void test_floats(void **state)
{
    (void)state;
    static double v[2000];
    for (int round = 0; round < 200; round++) {
        struct tsmblock b = {0};
        size_t n = 1 + random64() % (round % 2 ? 2000 : 20);
        for (size_t i = 0; i < n; i++) {
            uint64_t bits = random64();
            memcpy(&v[i], &bits, 8);
            if (round % 4 > 1 || v[i] != v[i])
                v[i] = (double)(random64() % 1000) / 8;
        }
        struct buffer times = times_rle(1, 1, n), values = {0};
        add_floats(&values, v, n);
        struct buffer in = block(VALUE_FLOAT, &times, &values);
        assert_int_equal(decode(&b, &in), 0);
        assert_int_equal(b.n, n);
        for (size_t i = 0; i < n; i++)
            assert_memory_equal(&b.values[i].f, &v[i], 8);
        if (n < 20)
            check_damage(&in);
        tsmblock_free(&b);
        buffer_free(&in);
    }
}

static void test_booleans_and_strings(void **state)
{
    (void)state;
    static const char *const text[] = {"", "a", "hello", "\xff\xfe", "a longer one, a longer one"};
    for (size_t n = 1; n < 20; n++) {
        struct tsmblock b = {0};
        struct buffer times = times_rle(0, 1, n), values = {0}, plain = {0};
        size_t at = 0;
        buffer_add(&values, "\x10", 1);
        add_uvarint(&values, n);
        for (size_t i = 0; i < n; i++)
            add_bits(&values, &at, i % 3 == 0, 1);
        struct buffer in = block(VALUE_BOOLEAN, &times, &values);
        assert_int_equal(decode(&b, &in), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(b.values[i].b, i % 3 == 0);
        check_damage(&in);
        buffer_free(&in);
        times = times_rle(0, 1, n);
        for (size_t i = 0; i < n; i++) {
            add_uvarint(&plain, strlen(text[i % 5]));
            buffer_add(&plain, text[i % 5], strlen(text[i % 5]));
        }
        buffer_add(&values, "\x10", 1);
        add_packed(&values, &plain);
        in = block(VALUE_STRING, &times, &values);
        assert_int_equal(decode(&b, &in), 0);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(b.values[i].s.len, strlen(text[i % 5]));
            assert_memory_equal(b.strings + b.values[i].s.off, text[i % 5], b.values[i].s.len);
        }
        check_damage(&in);
        buffer_free(&in);
        buffer_free(&plain);
        tsmblock_free(&b);
    }
}

/* The n times of an encoding with values that do not count, and whether they are taken. */
static int decode_only_times(struct tsmblock *b, struct buffer times)
{
    struct buffer values = {0};
    buffer_add(&values, "what are not floats", 19);
    struct buffer in = block(VALUE_FLOAT, &times, &values);
    assert_int_equal(decode(b, &in), -EBADMSG);
    err.text[0] = '\0';
    int r = tsmblock_decode_times(b, in.p, in.n, &err);
    assert_true(r == 0 ? b->n > 0 && b->type == VALUE_FLOAT : r == -EBADMSG && b->n == 0);
    buffer_free(&in);
    return r;
}

static void test_only_times(void **state)
{
    (void)state;
    struct tsmblock b = {0};
    assert_int_equal(decode_only_times(&b, times_rle(-7, 4, 30)), 0);
    assert_int_equal(b.n, 30);
    for (int i = 0; i < 30; i++)
        assert_int_equal(b.times[i], -7 + i * 4);
    assert_int_equal(decode_only_times(&b, times_rle(INT64_MAX - 3, 4, 2)), -EBADMSG);
    assert_string_equal(err.text, "byte 13 of the block: times that go back");
    struct buffer in = {0};
    add_be(&in, 5, 1);
    assert_int_equal(tsmblock_decode_times(&b, in.p, in.n, &err), -EBADMSG);
    buffer_free(&in);
    tsmblock_free(&b);
}

/* Words of 240 differences each, but the fourth one of a single one that goes back, if wanted. */
static struct buffer many_times(size_t words, bool back)
{
    struct buffer b = {0};
    add_be(&b, 0x11, 1);
    add_be(&b, 0, 8);
    for (size_t i = 0; i < words; i++)
        add_be(&b, i == 3 && back ? UINT64_MAX : 0, 8);
    return b;
}

/* More than a block may have, and times that go back before that. */
static void test_many_times(void **state)
{
    (void)state;
    static const char *const back = "byte 44 of the block: times that go back";
    const size_t most = (TSMBLOCK_MAX_POINTS - 1) / 240;
    struct tsmblock b = {0};
    assert_int_equal(decode_only_times(&b, many_times(most, false)), 0);
    assert_int_equal(b.n, 1 + most * 240);
    assert_int_equal(decode_only_times(&b, many_times(most + 1, false)), -EBADMSG);
    assert_non_null(strstr(err.text, "more points than a block can have"));
    assert_int_equal(decode_only_times(&b, many_times(20, true)), -EBADMSG);
    assert_string_equal(err.text, back);
    assert_int_equal(decode_only_times(&b, many_times(most + 9, true)), -EBADMSG);
    assert_string_equal(err.text, back);
    assert_int_equal(decode_only_times(&b, times_rle(0, 1, TSMBLOCK_MAX_POINTS)), 0);
    assert_int_equal(b.n, TSMBLOCK_MAX_POINTS);
    assert_int_equal(decode_only_times(&b, times_rle(0, 1, TSMBLOCK_MAX_POINTS + 1)), -EBADMSG);
    tsmblock_free(&b);
}

static void test_hostile_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *b;
        size_t n;
    } bad[] = {
        /* 2^63 points at one time, with a matching count of booleans */
        {"\2\x13\x20\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\1\0", 24},
        /* simple8b: 240 ones, over and over, is not possible in eight bytes */
        {"\1\x11\x10\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\1\0\xff\1", 31},
        {"\5\1\0", 3},                                              /* no such type */
        {"\0\x09\x1d\0\0\0\0\0\0\0\1\x10\0", 13},                   /* no such divisor */
        {"\0\x09\x30\0\0\0\0\0\0\0\1\x10\0", 13},                   /* no such encoding */
        {"\3\x09\x10\0\0\0\0\0\0\0\1\x10\xff\xff\xff\xff\x0f", 17}, /* 4 GiB of strings */
        {"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11},           /* times of 2^64 bytes */
    };
    struct tsmblock b = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(decode(&b, &(struct buffer){.p = (char *)bad[i].b, .n = bad[i].n}),
                         -EBADMSG);
    tsmblock_free(&b);
}

static const char *const keys[] = {"cpu#!~#a",     "cpu#!~#b",       "cpu,h=1#!~#a",
                                   "cpu,h=2#!~#a", "cpu2,h=1#!~#zz", "mem#!~#a"};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

/* Everything that begins with the prefix, as text. */
static int read_file(struct buffer *file, const char *prefix, struct buffer *out)
{
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct tsmblock b = {0};
    struct tsmfile_key key;
    struct source s = source_of(file);
    err.text[0] = '\0';
    out->n = 0;
    int r = tsmfile_open(&s, &f, &err);
    if (r == 0)
        tsmfile_seek(f, prefix, strlen(prefix));
    while (r == 0 && (r = tsmfile_next(f, &key, &err)) == 1) {
        r = 0;
        struct tsmfile_entry entries[8];
        size_t n = key.nentries < 8 ? key.nentries : 8;
        enum value_type type = key.type;
        buffer_text(out, "%.*s", (int)key.len, key.key);
        for (size_t i = 0; i < n; i++)
            entries[i] = tsmfile_entry(&key, i);
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = tsmfile_block(f, &entries[i], type, &b, &err);
            for (size_t k = 0; k < b.n; k++)
                buffer_text(out, " %lld=%lld", (long long)b.times[k], (long long)b.values[k].i);
        }
        buffer_text(out, "\n");
    }
    tsmblock_free(&b);
    assert_true(r == 0 || (r == -EBADMSG && strstr(err.text, "a file: ")));
    return r;
}

static size_t lines(const struct buffer *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += b->p[i] == '\n';
    return n;
}

static void check_file_times(struct tsmfile *f, const struct tsmfile_entry *entry)
{
    struct tsmblock b = {0};
    struct tsmfile_entry other = *entry;
    assert_int_equal(tsmfile_times(f, entry, VALUE_INTEGER, &b, &err), 0);
    assert_int_equal(b.n, 10);
    for (size_t i = 0; i < b.n; i++)
        assert_true(b.times[i] == entry->min + (int64_t)i * 1000000000);
    assert_int_equal(tsmfile_times(f, entry, VALUE_FLOAT, &b, &err), -EBADMSG);
    assert_int_equal(b.n, 0);
    other.max--;
    assert_int_equal(tsmfile_times(f, &other, VALUE_INTEGER, &b, &err), -EBADMSG);
    other = *entry;
    other.size--;
    assert_int_equal(tsmfile_times(f, &other, VALUE_INTEGER, &b, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "CRC"));
    tsmblock_free(&b);
}

static void test_file_times(void **state)
{
    (void)state;
    struct buffer file = tsm_file(keys, NKEYS, 3);
    struct source s = source_of(&file);
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(&s, &f, &err);
    while (r >= 0 && (r = tsmfile_next(f, &key, &err)) == 1) {
        struct tsmfile_entry entry = tsmfile_entry(&key, 2);
        check_file_times(f, &entry);
    }
    assert_int_equal(r, 0);
    buffer_free(&file);
}

static void test_file(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        size_t n;
    } wanted[] = {{"", NKEYS}, {"cpu", 5},     {"cpu#!~#", 2}, {"cpu,", 2}, {"cpu2", 1},
                  {"a", 0},    {"cpu,h=1", 1}, {"mem", 1},     {"zzz", 0}};
    struct buffer file = tsm_file(keys, NKEYS, 3), out = {0};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(read_file(&file, wanted[i].prefix, &out), 0);
        assert_int_equal(lines(&out), wanted[i].n);
    }
    assert_int_equal(read_file(&file, "mem", &out), 0);
    buffer_add(&out, "", 1);
    assert_non_null(strstr(out.p, "mem#!~#a 0=0 1000000000=1 "));
    assert_non_null(strstr(out.p, " 29000000000=29\n"));
    buffer_free(&file);
    buffer_free(&out);
}

/* Whether the byte belongs to the name of a key, which nothing protects. */
static bool in_key(const struct buffer *file, size_t at)
{
    for (size_t i = 0; i < NKEYS; i++) {
        const char *p = memmem(file->p, file->n, keys[i], strlen(keys[i]));
        if (p && at >= (size_t)(p - file->p) && at < (size_t)(p - file->p) + strlen(keys[i]))
            return true;
    }
    return false;
}

static void test_damaged_file(void **state)
{
    (void)state;
    struct buffer file = tsm_file(keys, NKEYS, 2), out = {0};
    for (size_t n = 0; n < file.n; n++)
        assert_int_equal(read_file(&(struct buffer){.p = file.p, .n = n}, "", &out), -EBADMSG);
    for (size_t bit = 0; bit < file.n * 8; bit++) {
        bool key = in_key(&file, bit / 8);
        file.p[bit / 8] ^= (char)(1 << bit % 8);
        int r = read_file(&file, "", &out);
        if (!key)
            assert_int_equal(r, -EBADMSG);
        file.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (int i = 0; i < 20000; i++) {
        size_t at = random64() % file.n;
        char was = file.p[at];
        file.p[at] = (char)random64();
        read_file(&file, "cpu,", &out);
        if (i % 10)
            file.p[at] = was;
    }
    buffer_free(&file);
    buffer_free(&out);
}

static int on_delete(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    buffer_text(ctx, "%.*s %lld %lld\n", (int)len, key, (long long)min, (long long)max);
    return 0;
}

static int read_tombstone(struct buffer *file, struct buffer *out)
{
    struct source s = source_of(file);
    err.text[0] = '\0';
    out->n = 0;
    int r = tombstone_read(&s, on_delete, out, &err);
    assert_true(r == 0 || (r == -EBADMSG && strstr(err.text, "a file: ")));
    return r;
}

static struct buffer tombstone(int version, int deletes)
{
    struct buffer b = {0}, plain = {0};
    char key[64];
    if (version > 1)
        add_be(&b, 0x1500 + (uint64_t)version, 4);
    for (int i = 0; i < deletes; i++) {
        snprintf(key, sizeof(key), "cpu,host=h%d#!~#value", i);
        if (version == 1)
            buffer_text(&b, "%s\n", key);
        else
            add_delete(&plain, key, i, 1000 + i);
        if (version == 4 && i % 5 == 0) {
            add_gzip(&b, &plain);
            plain.n = 0;
        }
    }
    if (version == 2)
        buffer_add(&b, plain.p, plain.n);
    if (version == 3 || (version == 4 && plain.n))
        add_gzip(&b, &plain);
    buffer_free(&plain);
    return b;
}

static void test_tombstones(void **state)
{
    (void)state;
    for (int version = 1; version <= 4; version++)
        for (int n = 1; n < 10000; n = n * 3 + 1) {
            struct buffer b = tombstone(version, n), out = {0};
            assert_int_equal(read_tombstone(&b, &out), 0);
            assert_int_equal(lines(&out), n);
            buffer_add(&out, "", 1);
            assert_non_null(strstr(out.p, version == 1
                                              ? "cpu,host=h0#!~#value -9223372036854775808 "
                                                "9223372036854775807\n"
                                              : "cpu,host=h0#!~#value 0 1000\n"));
            buffer_free(&b);
            buffer_free(&out);
        }
    struct buffer none = {0}, out = {0};
    assert_int_equal(read_tombstone(&none, &out), 0);
    buffer_free(&out);
}

/* Where versions 2 and 4 may end: between records, and between streams. */
static bool is_prefix(const struct buffer *whole, const struct buffer *part)
{
    return part->n <= whole->n && memcmp(whole->p, part->p, part->n) == 0;
}

static void test_damaged_tombstones(void **state)
{
    (void)state;
    for (int version = 1; version <= 4; version++) {
        struct buffer b = tombstone(version, 7), whole = {0}, out = {0};
        size_t good = 0;
        assert_int_equal(read_tombstone(&b, &whole), 0);
        for (size_t n = 1; n < b.n; n++)
            if (read_tombstone(&(struct buffer){.p = b.p, .n = n}, &out) == 0 && version > 1) {
                assert_true(is_prefix(&whole, &out));
                good++;
            }
        assert_true(good <= 6);
        for (size_t bit = 0; bit < b.n * 8; bit++) {
            b.p[bit / 8] ^= (char)(1 << bit % 8);
            int r = read_tombstone(&b, &out);
            if (version > 2 && r == 0) /* what a gzip header says of the file's origin */
                assert_true(out.n == whole.n && memcmp(out.p, whole.p, out.n) == 0);
            b.p[bit / 8] ^= (char)(1 << bit % 8);
        }
        buffer_free(&b);
        buffer_free(&whole);
        buffer_free(&out);
    }
}

static int on_key(void *ctx, const char *key, size_t len, enum value_type type, size_t count)
{
    buffer_text(ctx, "%.*s %d %zu:", (int)len, key, type, count);
    return 0;
}

static int on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    if (text)
        buffer_text(ctx, " %lld=%.*s", (long long)time, (int)v->s.len, text);
    else
        buffer_text(ctx, " %lld=%llx", (long long)time, (unsigned long long)v->u);
    return 0;
}

static int read_wal(struct buffer *file, struct buffer *out)
{
    struct source s = source_of(file);
    struct walentry_visitor v = {on_key, on_value, on_delete, out};
    err.text[0] = '\0';
    out->n = 0;
    int r = walread(&s, &v, &err);
    assert_true(r == 0 || (r == -EBADMSG && strstr(err.text, "a file: ")));
    return r;
}

static void test_wal(void **state)
{
    (void)state;
    struct buffer b = {0}, p = {0}, out = {0};
    size_t ends[4] = {0};
    for (int type = 1; type <= 5; type++) {
        add_be(&p, (uint64_t)type, 1);
        add_be(&p, 2, 2);
        buffer_text(&p, "k%d", type);
        add_be(&p, 1, 4);
        add_be(&p, 77, 8);
        if (type == 3)
            add_be(&p, 1, 1);
        else if (type == 4) {
            add_be(&p, 5, 4);
            buffer_text(&p, "hello");
        } else
            add_be(&p, 0x4000000000000000, 8);
    }
    add_entry(&b, 1, &p);
    ends[1] = b.n;
    p.n = 0;
    buffer_text(&p, "k1\nk2");
    add_entry(&b, 2, &p);
    ends[2] = b.n;
    p.n = 0;
    add_be(&p, 5, 8);
    add_be(&p, 6, 8);
    add_be(&p, 2, 4);
    buffer_text(&p, "k3");
    add_entry(&b, 3, &p);
    ends[3] = b.n;
    assert_int_equal(read_wal(&b, &out), 0);
    buffer_add(&out, "", 1);
    assert_string_equal(out.p, "k1 0 1: 77=4000000000000000k2 1 1: 77=4000000000000000"
                               "k3 2 1: 77=1k4 3 1: 77=hellok5 4 1: 77=4000000000000000"
                               "k1 -9223372036854775808 9223372036854775807\n"
                               "k2 -9223372036854775808 9223372036854775807\nk3 5 6\n");
    for (size_t n = 0; n < b.n; n++) {
        bool whole = n == 0 || n == ends[1] || n == ends[2];
        assert_int_equal(read_wal(&(struct buffer){.p = b.p, .n = n}, &out), whole ? 0 : -EBADMSG);
    }
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (char)(1 << bit % 8);
        read_wal(&b, &out);
        b.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    buffer_free(&b);
    buffer_free(&p);
    buffer_free(&out);
}

static struct slice slice(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static void check_slice(struct slice got, const char *wanted)
{
    assert_int_equal(slice_compare(got, slice(wanted)), 0);
}

static void test_series_keys(void **state)
{
    (void)state;
    struct slice series, field, rest, name, value;
    char buf[64];
    assert_true(serieskey_split(slice("a\\,b\\ c,k\\=1=v\\,2,z=\\#!~#f#!~#g"), &series, &field));
    check_slice(series, "a\\,b\\ c,k\\=1=v\\,2,z=\\");
    check_slice(field, "f#!~#g");
    assert_false(serieskey_split(slice("cpu#!~"), &series, &field));
    assert_true(serieskey_split(slice("a\\,b\\ c,k\\=1=v\\,2,z=e=e#!~#f"), &series, &field));
    check_slice(serieskey_measurement(series, &rest), "a\\,b\\ c");
    assert_true(serieskey_tag(&rest, &name, &value));
    check_slice((struct slice){buf, serieskey_unescape(name, buf)}, "k=1");
    check_slice((struct slice){buf, serieskey_unescape(value, buf)}, "v,2");
    assert_true(serieskey_tag(&rest, &name, &value));
    check_slice(name, "z");
    check_slice(value, "e=e");
    assert_false(serieskey_tag(&rest, &name, &value));
    check_slice((struct slice){buf, serieskey_escape_measurement(slice("a,b c=\\"), buf)},
                "a\\,b\\ c=\\");
    /* Tags that are none come out as something, and end. */
    static const char *const odd[] = {",", ",,", ",a", ",=", ",a=", ",a,b=c", ",\\", ",a=\\"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        int n = 0;
        rest = slice(odd[i]);
        while (serieskey_tag(&rest, &name, &value))
            assert_true(n++ < 4);
    }
    assert_true(slice_compare(slice("a"), slice("ab")) < 0);
    assert_true(slice_compare(slice("b"), slice("ab")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_booleans_and_strings),
        cmocka_unit_test(test_only_times),
        cmocka_unit_test(test_many_times),
        cmocka_unit_test(test_hostile_blocks),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_times),
        cmocka_unit_test(test_damaged_file),
        cmocka_unit_test(test_tombstones),
        cmocka_unit_test(test_damaged_tombstones),
        cmocka_unit_test(test_wal),
        cmocka_unit_test(test_series_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
