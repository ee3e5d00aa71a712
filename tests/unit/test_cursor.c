/* SPDX-License-Identifier: MIT */
/* cursor: values of several files, with deletes and a WAL, against a plain array of what counts. */
#include "store/points/cursor.h"
#include "tests/unit/tsm_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TIMES 300
#define FILES 4
#define KEY "m#!~#v"

static uint32_t state = 1;

/* What a file holds: value[t] of those times for which there is one. */
struct content {
    bool has[TIMES];
    int64_t value[TIMES];
};

static struct buffer raw_block(const int64_t *times, const int64_t *values, size_t n)
{
    struct buffer t = {0}, v = {0};
    buffer_add(&t, "", 1);
    buffer_add(&v, "", 1);
    for (size_t i = 0; i < n; i++) {
        add_be(&t, (uint64_t)(times[i] - (i ? times[i - 1] : 0)), 8);
        add_be(&v, zigzag(values[i] - (i ? values[i - 1] : 0)), 8);
    }
    return block(VALUE_INTEGER, &t, &v);
}

/* In blocks of at most `most` values; a time may be there twice, the value before it being wrong.
 */
static struct buffer file_of(const struct content *c, size_t most)
{
    struct buffer f = {0}, entries = {0};
    int64_t times[2 * TIMES], values[2 * TIMES];
    size_t n = 0, count = 0;
    buffer_add(&f, "\x16\xd1\x16\xd1\x01", 5);
    for (int t = 0; t < TIMES; t++) {
        if (!c->has[t])
            continue;
        if (any_below(&state, 10) == 0) {
            times[n] = t;
            values[n++] = -1;
        }
        times[n] = t;
        values[n++] = c->value[t];
    }
    for (size_t at = 0; at < n;) {
        size_t end = at + 1 + any_below(&state, (uint32_t)most);
        end = end < n ? end : n;
        while (end < n && times[end] == times[end - 1])
            end++;
        struct buffer b = raw_block(times + at, values + at, end - at);
        add_be(&entries, (uint64_t)times[at], 8);
        add_be(&entries, (uint64_t)times[end - 1], 8);
        add_be(&entries, f.n, 8);
        add_be(&entries, b.n + 4, 4);
        add_be(&f, crc32(0, (const Bytef *)b.p, (uInt)b.n), 4);
        buffer_add(&f, b.p, b.n);
        buffer_free(&b);
        at = end;
        count++;
    }
    uint64_t index = f.n;
    add_be(&f, strlen(KEY), 2);
    buffer_text(&f, "%s", KEY);
    add_be(&f, VALUE_INTEGER, 1);
    add_be(&f, count, 2);
    buffer_add(&f, entries.p, entries.n);
    add_be(&f, index, 8);
    buffer_free(&entries);
    return f;
}

static void some_content(struct content *c, uint32_t one_in, int64_t base)
{
    memset(c, 0, sizeof(*c));
    for (int t = 0; t < TIMES; t++) {
        c->has[t] = any_below(&state, one_in) == 0;
        c->value[t] = base + t;
    }
    c->has[any_below(&state, TIMES)] = true; /* a file has something */
}

/* A file's part of the cursor, and *sum becomes what it adds. */
static void add_file(struct cursor *c, struct tsmfile *f, const struct content *content,
                     struct content *sum)
{
    struct cursor_blocks *b = &c->blocks[c->nblocks++];
    struct tsmfile_key key;
    *b = (struct cursor_blocks){.file = f};
    tsmfile_seek(f, NULL, 0);
    assert_int_equal(tsmfile_next(f, &key, NULL), 1);
    b->entries = calloc(key.nentries, sizeof(*b->entries));
    for (size_t i = 0; i < key.nentries; i++)
        b->entries[b->nentries++] = tsmfile_entry(&key, i);
    b->deleted = calloc(3, sizeof(*b->deleted));
    for (int64_t at = any_below(&state, TIMES);
         any_below(&state, 2) && at < TIMES && b->ndeleted < 3;) {
        struct time_range r = {at, at + any_below(&state, 40)};
        b->deleted[b->ndeleted++] = r;
        at = r.max + 2 + any_below(&state, TIMES);
    }
    for (int t = 0; t < TIMES; t++)
        if (content->has[t] && !key_deletes_time(b->deleted, b->ndeleted, t)) {
            sum->has[t] = true;
            sum->value[t] = content->value[t];
        }
}

static void add_wal(struct cursor *c, struct content *sum)
{
    struct content wal;
    some_content(&wal, 20, 9000000);
    struct walcache_value *values = calloc(TIMES, sizeof(*values));
    c->wal = values;
    for (int t = 0; t < TIMES; t++)
        if (wal.has[t]) {
            values[c->nwal++] = (struct walcache_value){.time = t, .value.i = wal.value[t]};
            sum->has[t] = true;
            sum->value[t] = wal.value[t];
        }
}

static void check(struct cursor *c, const struct content *sum)
{
    struct err e = {0};
    int r = cursor_first(c, &e);
    for (int64_t t = 0; t < TIMES; t++) {
        if (!sum->has[t] || t < c->range.min || t > c->range.max)
            continue;
        assert_int_equal(r, 0);
        assert_false(c->done);
        assert_int_equal(c->time, t);
        assert_int_equal(c->value.i, sum->value[t]);
        r = cursor_next(c, &e);
    }
    assert_int_equal(r, 0);
    assert_true(c->done);
}

static void one_round(size_t window, size_t most)
{
    struct content content[FILES], sum = {0};
    struct buffer bytes[FILES];
    struct source sources[FILES];
    struct tsmfile *files[FILES];
    struct tsmblock scratch = {0};
    struct cursor c = {.type = VALUE_INTEGER, .window = window, .scratch = &scratch};
    size_t n = any_below(&state, FILES + 1);
    c.range.min = any_below(&state, 2) ? INT64_MIN : any_below(&state, TIMES);
    c.range.max = any_below(&state, 2) ? INT64_MAX : any_below(&state, TIMES);
    c.blocks = calloc(FILES, sizeof(*c.blocks));
    for (size_t i = 0; i < n; i++) {
        some_content(&content[i], 1 + any_below(&state, 30), (int64_t)i * 1000000);
        bytes[i] = file_of(&content[i], most);
        sources[i] = source_of(&bytes[i]);
        assert_int_equal(tsmfile_open(&sources[i], &files[i], NULL), 0);
        add_file(&c, files[i], &content[i], &sum);
    }
    if (any_below(&state, 2))
        add_wal(&c, &sum);
    check(&c, &sum);
    free((void *)c.wal);
    cursor_clear(&c);
    for (size_t i = 0; i < n; i++) {
        tsmfile_free(files[i]);
        buffer_free(&bytes[i]);
    }
    tsmblock_free(&scratch);
}

static void test_rounds(void **unused)
{
    (void)unused;
    static const size_t windows[] = {0, 1, 2, 7, 1000};
    for (int round = 0; round < 3000; round++)
        one_round(windows[any_below(&state, 5)], 1 + any_below(&state, 80));
}

static void test_copies_of_strings(void **unused)
{
    (void)unused;
    static const char text[] = "onethreefive";
    union value values[] = {{.s = {0, 3}}, {.s = {3, 5}}, {.s = {8, 4}}};
    int64_t times[] = {1, 2, 3};
    struct tsmblock from = {
        .type = VALUE_STRING, .n = 3, .times = times, .values = values, .strings = (char *)text};
    struct tsmblock to = {0};
    for (size_t first = 0; first < 3; first++)
        for (size_t end = first; end <= 3; end++) {
            assert_int_equal(tsmblock_copy(&to, &from, first, end), 0);
            assert_int_equal(to.n, end - first);
            for (size_t i = 0; i < to.n; i++) {
                union value a = values[first + i], b = to.values[i];
                assert_int_equal(to.times[i], times[first + i]);
                assert_int_equal(a.s.len, b.s.len);
                assert_memory_equal(text + a.s.off, to.strings + b.s.off, a.s.len);
            }
        }
    tsmblock_free(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_copies_of_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
