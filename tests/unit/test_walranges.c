/* SPDX-License-Identifier: MIT */
/* walranges: what is replayed of a WAL that was put down is what a replay of its segments gives: values,
 * deletes, and which fields had two types. */
#include "tests/unit/chance_wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROUNDS 60
#define RECORDS 400

/* All keys of the measurement, by as many replays as it takes. */
static void replay_all(struct memory *memory, struct walranges *parts, size_t limit,
                       struct buffer *out, struct buffer *said)
{
    const struct gaps gaps = {.damage = true, .say = say, .ctx = said};
    struct buffer at = {0};
    struct slice from = parts ? least : nothing;
    do {
        const struct walcache_query q = {.of = {.capture = &memory->c,
                                                .shard = &shard,
                                                .measurement = &m,
                                                .from = from,
                                                .gaps = &gaps},
                                         .memory = limit,
                                         .parts = parts};
        struct walcache *w;
        struct err e = {0};
        if (walcache_open(&q, &w, &e) < 0)
            fail_msg("%s", e.text);
        put_keys(out, w);
        const struct slice rest = walcache_rest(w);
        at.n = 0;
        buffer_add(&at, rest.p, rest.n);
        from = rest.p ? (struct slice){at.p, at.n} : nothing;
        walcache_unref(w);
    } while (from.p);
    buffer_add(out, "", 1);
    buffer_free(&at);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Replays tell of keys in different orders. */
static void assert_same_lines(struct buffer *a, struct buffer *b)
{
    static char *lines[2][SEGMENTS * RECORDS + 1];
    size_t n[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct buffer *one = i ? b : a;
        buffer_add(one, "", 1);
        for (char *p = strtok(one->p, "\n"); p; p = strtok(NULL, "\n"))
            lines[i][n[i]++] = p;
        qsort(lines[i], n[i], sizeof(char *), by_line);
    }
    assert_int_equal(n[0], n[1]);
    for (size_t i = 0; i < n[0]; i++)
        assert_string_equal(lines[0][i], lines[1][i]);
}

static int put_down(struct memory *memory, size_t limit, struct points_spilled *spilled,
                    struct walranges **out, struct err *e)
{
    const struct walreplay_query q = {
        .capture = &memory->c, .shard = &shard, .measurement = &m, .from = least};
    const struct walranges_limits l = {.memory = limit, .weight = 100000, .spilled = spilled};
    return walranges_make(&q, &l, out, e);
}

static void test_like_the_segments(void **state)
{
    (void)state;
    size_t told = 0, files = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct memory *memory = some_wal(RECORDS);
        struct points_spilled spilled = {0};
        struct walranges *parts;
        struct err e = {0};
        if (put_down(memory, 1 + random64() % 20000, &spilled, &parts, &e) < 0)
            fail_msg("%s", e.text);
        files += spilled.most > 0;
        assert_true(walranges_end(parts, least).p != NULL);
        struct buffer want = {0}, said = {0};
        replay_all(memory, NULL, 0, &want, &said);
        told += said.n;
        for (size_t limit = 1; limit < 100000; limit *= 10) {
            struct buffer got = {0}, again = {0}, once = {0};
            replay_all(memory, parts, limit, &got, &again);
            assert_string_equal(got.p, want.p);
            buffer_add(&once, said.p, said.n);
            assert_same_lines(&once, &again);
            buffer_free(&got);
            buffer_free(&again);
            buffer_free(&once);
        }
        walranges_free(parts);
        assert_int_equal(spilled.bytes, 0);
        buffer_free(&want);
        buffer_free(&said);
        capture_unref(&memory->c);
    }
    assert_true(told > 0);
    assert_true(files > ROUNDS / 2);
}

/* Where nothing can be put down, that is said, and the segments can still be read. */
static void test_no_room(void **state)
{
    struct memory *memory = some_wal(RECORDS);
    struct walranges *parts;
    struct err e = {0};
    (void)state;
    const char *before = getenv("TMPDIR");
    autofree char *kept = before ? strdup(before) : NULL;
    setenv("TMPDIR", "/proc/no such folder", 1);
    assert_int_equal(put_down(memory, 1, NULL, &parts, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/proc/no such folder"));
    if (kept)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    capture_unref(&memory->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_the_segments),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
