/* SPDX-License-Identifier: MIT */
/* walfeed: the parts together are what one replay gives, whoever makes them: the caller, or a thread while
 * the caller uses the part before. */
#include "store/base/processors.h"
#include "store/points/walfeed.h"
#include "tests/unit/chance_wal.h"

#include <errno.h>
#include <setjmp.h>

#include <cmocka.h>

#define ROUNDS 4
#define RECORDS 6000 /* so that threads are worth their cost */

/* Stand-ins: processors are idle, or they are not. */
static bool idle;

unsigned processors_allowed(void)
{
    return 2;
}

int processors_spare(void)
{
    return idle ? 1 : -1;
}

/* Some WAL that is large enough. */
static struct memory *large_wal(void)
{
    for (;;) {
        struct memory *memory = some_wal(RECORDS);
        if (memory->bytes[0].n + memory->bytes[1].n + memory->bytes[2].n > 100000)
            return memory;
        capture_unref(&memory->c);
    }
}

static struct walfeed *feed_of(struct memory *memory, size_t limit, const struct gaps *gaps,
                               const struct tarball_reader *reader)
{
    const struct walfeed_query q = {.of = {.capture = &memory->c,
                                           .shard = &shard,
                                           .measurement = &m,
                                           .gaps = gaps,
                                           .reader = reader},
                                    .memory = limit};
    struct walfeed *f;
    assert_int_equal(walfeed_open(&q, &f), 0);
    return f;
}

/* The keys of all parts, each in order, and with them what was said; gives the number of parts. */
static size_t feed_all(struct memory *memory, size_t limit, struct buffer *out, struct buffer *said)
{
    const struct gaps gaps = {.damage = true, .say = say, .ctx = said};
    struct walfeed *f = feed_of(memory, limit, &gaps, NULL);
    struct walcache *w;
    struct err e = {0};
    size_t parts = 0;
    int r;
    for (; (r = walfeed_next(f, nothing, &w, &e)) == 1; parts++)
        put_keys(out, w);
    if (r < 0)
        fail_msg("%s", e.text);
    walfeed_free(f);
    buffer_add(out, "", 1);
    return parts;
}

static void test_like_one_replay(void **state)
{
    size_t told = 0, parts = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct memory *memory = large_wal();
        struct buffer want = {0}, said = {0};
        assert_int_equal(feed_all(memory, 0, &want, &said), 1);
        told += said.n;
        for (size_t limit = 1000; limit < 10000000; limit *= 8) {
            for (int with = 0; with < 2; with++) {
                struct buffer got = {0}, again = {0};
                idle = with;
                parts += feed_all(memory, limit, &got, &again);
                assert_string_equal(got.p, want.p);
                assert_int_equal(again.n, said.n); /* each line once, maybe in another order */
                buffer_free(&got);
                buffer_free(&again);
            }
        }
        buffer_free(&want);
        buffer_free(&said);
        capture_unref(&memory->c);
    }
    assert_true(told > 0);
    assert_true(parts > 100 * ROUNDS);
}

/* The keys of series from this one on. */
static const char *keys_from(const char *keys, const char *series)
{
    const size_t n = strlen(series);
    const char *line = keys;
    while (*line && strncmp(line, series, n) != 0)
        line = strchr(line, '\n') + 1;
    return line;
}

/* A walk that goes on from some series later. */
static void test_passes_over(void **state)
{
    static const char series[] = "m,t=40#"; /* with the beginning of the separator */
    (void)state;
    for (int with = 0; with < 2; with++) {
        struct memory *memory = large_wal();
        struct buffer want = {0}, got = {0}, said = {0};
        const struct gaps gaps = {.damage = true, .say = say, .ctx = &said};
        struct walcache *w;
        struct err e = {0};
        int r;
        idle = with;
        feed_all(memory, 0, &want, &said);
        struct walfeed *f = feed_of(memory, 20000, &gaps, NULL);
        for (int walked = 0; walked < 2; walked++) /* a part may be made meanwhile */
            assert_int_equal(walfeed_next(f, nothing, &w, &e), 1);
        const struct slice from = {series, strlen(series) - 1};
        while ((r = walfeed_next(f, from, &w, &e)) == 1)
            put_keys(&got, w);
        assert_int_equal(r, 0);
        buffer_add(&got, "", 1);
        assert_string_equal(keys_from(got.p, series), keys_from(want.p, series));
        assert_true(got.n < want.n / 2);
        walfeed_free(f);
        buffer_free(&want);
        buffer_free(&got);
        buffer_free(&said);
        capture_unref(&memory->c);
    }
}

static bool is_over(void *ctx)
{
    (void)ctx;
    return true;
}

/* A reader who is gone does not wait for a part; nor does anybody for one that nobody wants. */
static void test_interrupted(void **state)
{
    const struct tarball_reader gone = {is_over, NULL};
    size_t interrupted = 0;
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct memory *memory = large_wal();
        struct walcache *w;
        struct err e = {0};
        idle = true;
        struct walfeed *f = feed_of(memory, 1000, NULL, &gone);
        int r = walfeed_next(f, nothing, &w, &e);
        assert_true(r == 1 || r == -EINTR || r == -EBADMSG); /* it may have been made already */
        interrupted += r == -EINTR;
        walfeed_free(f);
        walfeed_free(feed_of(memory, 1000, NULL, NULL));
        capture_unref(&memory->c);
    }
    assert_true(interrupted > 0);
}

static void test_damage(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        struct memory *memory = memory_new();
        struct buffer segments[SEGMENTS] = {{0}};
        for (int i = 0; i < RECORDS; i++) {
            char key[64];
            sprintf(key, "m,t=%d" SERIESKEY_SEPARATOR "f", i);
            wal_write(&segments[i % SEGMENTS], &(struct field_text){key, VALUE_FLOAT, "1=1"});
        }
        memset(segments[2].p + segments[2].n / 2, 0xff, 64);
        for (size_t i = 0; i < SEGMENTS; i++)
            memory_add(memory, FOLDER, segment_names[i], segments[i]);
        struct walcache *w;
        struct err e = {0};
        idle = with;
        struct walfeed *f = feed_of(memory, 10000, NULL, NULL);
        assert_int_equal(walfeed_next(f, nothing, &w, &e), -EBADMSG);
        assert_non_null(strstr(e.text, FOLDER "/_00003.wal"));
        walfeed_free(f);
        capture_unref(&memory->c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_one_replay),
        cmocka_unit_test(test_passes_over),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests_name("walfeed", tests, NULL, NULL);
}
