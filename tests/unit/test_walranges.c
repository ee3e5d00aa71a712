/* SPDX-License-Identifier: MIT */
/* walranges: what is replayed of a WAL that was put down is what a replay of its segments gives: values,
 * deletes, and which fields had two types. */
#include "store/points/walcache.h"
#include "tests/unit/chance.h"
#include "tests/unit/memory_capture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FOLDER "wal/db/rp/1"
#define ROUNDS 60
#define SEGMENTS 3
#define RECORDS 400

static const struct shard_files shard = {
    .db = "db", .rp = "rp", .id = 1, .nwal = SEGMENTS, .wal = (size_t[]){0, 1, 2}};
static const struct slice m = {"m", 1}, nothing = {NULL, 0}, least = {"", 0};

static void some_key(char key[64])
{
    static const char *const fields[] = {"f", "i", "s", "#!~#"};
    sprintf(key, "%s,t=%u" SERIESKEY_SEPARATOR "%s", random64() % 5 ? "m" : "m2",
            (unsigned)(random64() % 60), fields[random64() % 4]);
}

/* A record of some type: a field may get two. */
static void some_record(struct buffer *segment)
{
    static const char *const values[] = {[VALUE_FLOAT] = "%u=1.5 %u=-2",
                                         [VALUE_INTEGER] = "%u=7 %u=8",
                                         [VALUE_BOOLEAN] = "%u=true %u=false",
                                         [VALUE_STRING] = "%u=one %u=" /* empty */,
                                         [VALUE_UNSIGNED] = "%u=7 %u=9"};
    char key[64], points[64];
    const enum value_type usual = random64() % 8 ? VALUE_STRING : VALUE_INTEGER;
    const enum value_type type = random64() % 40 ? usual : (enum value_type)(random64() % 5);
    const unsigned at = (unsigned)(random64() % 30);
    some_key(key);
    if (random64() % 5 == 0) {
        wal_delete(segment, key, at, random64() % 3 ? at + 5 : INT64_MAX);
        return;
    }
    snprintf(points, sizeof(points), values[type], at, (unsigned)(random64() % 30));
    wal_write(segment, &(struct field_text){key, type, points});
}

static struct memory *some_wal(void)
{
    static const char *const names[] = {"_00001.wal", "_00002.wal", "_00003.wal"};
    struct memory *memory = memory_new();
    for (size_t i = 0; i < SEGMENTS; i++) {
        struct buffer segment = {0};
        for (size_t n = 1 + random64() % RECORDS; n > 0; n--)
            some_record(&segment);
        memory_add(memory, FOLDER, names[i], segment);
    }
    return memory;
}

/* The lines, each once: what is told may be told again. */
static void say(void *ctx, const char *words)
{
    struct buffer *said = ctx;
    char line[512];
    const int n = snprintf(line, sizeof(line), "%s\n", words);
    if (!said->p || !memmem(said->p, said->n, line, (size_t)n))
        buffer_add(said, line, (size_t)n);
}

static void put_keys(struct buffer *out, const struct walcache *w)
{
    for (size_t i = 0; i < walcache_count(w); i++) {
        const struct walcache_key k = walcache_at(w, i);
        buffer_text(out, "%.*s/%d", (int)k.key.n, k.key.p, k.type);
        for (size_t v = 0; v < k.n; v++) {
            const union value *value = &k.values[v].value;
            buffer_text(out, " %" PRId64 "=", k.values[v].time);
            if (k.type == VALUE_STRING)
                buffer_text(out, "'%.*s'", (int)value->s.len, k.text + value->s.off);
            else if (k.type == VALUE_BOOLEAN)
                buffer_text(out, "%d", value->b);
            else
                buffer_text(out, "%" PRIx64, value->u);
        }
        buffer_text(out, "\n");
    }
}

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
        struct memory *memory = some_wal();
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
    struct memory *memory = some_wal();
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
