/* SPDX-License-Identifier: MIT */
/* POINTS_ALL on stores by chance, beside a plain model that keeps and sorts all values: series that
 * are beginnings of others, files and shards that overlap, tombstones, a WAL, other measurements
 * between; and going on from each mark. */
#include "store/points/points.h"
#include "tests/unit/chance.h"
#include "tests/unit/full_disk.h"
#include "tests/unit/memory_capture.h"
#include "tests/unit/watched.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SHARDS 2
#define FILES 3
#define SERIES 14
#define FIELD_NAMES 5
#define TIMES 60 /* one shard has those to 40, the other those from 35 on */
#define ROUNDS ROUNDS_OF(150)

static const char *const measurements[] = {"m", "m", "m", "m", "m2", "m!", "m#!", "m$x"};
static const char *const fields[FIELD_NAMES] = {"!", "#", "f", "f#!~#g", "~"};
static const char *const shard_names[SHARDS][2] = {{"data/db/rp/1", "wal/db/rp/1"},
                                                   {"data/db/rp/2", "wal/db/rp/2"}};
static const char *const file_names[FILES][2] = {
    {"000000001-000000001.tsm", "000000001-000000001.tombstone"},
    {"000000002-000000001.tsm", "000000002-000000001.tombstone"},
    {"000000003-000000001.tsm", "000000003-000000001.tombstone"}};

/* What a store holds: 0: no value. Later files overwrite. */
static int64_t model[SHARDS][SERIES][FIELD_NAMES][TIMES];
static char series[SERIES][64];
static char keys[SERIES][FIELD_NAMES][96];

static void name_series(char out[64])
{
    static const char *const pieces[] = {"a",   "b",  "!",   "\"",   "#", "~",
                                         "\\ ", "#!", "#!~", "\x01", "$"};
    sprintf(out, "%s", measurements[random64() % 8]);
    if (random64() % 8 == 0)
        return;
    strcat(out, ",t=");
    for (uint64_t n = random64() % 5; n > 0; n--)
        strcat(out, pieces[random64() % 11]);
}

/* Whether its composite keys are split where the series ends. */
static bool is_series(const char *name)
{
    char key[1024];
    snprintf(key, sizeof(key), "%s" SERIESKEY_SEPARATOR, name);
    return strstr(key, SERIESKEY_SEPARATOR) == key + strlen(name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Series are often beginnings of others. */
static void name_all(void)
{
    for (size_t i = 0; i < SERIES; i++) {
        bool again = true;
        while (again) {
            if (i > 0 && random64() % 2) {
                strcpy(series[i], series[random64() % i]);
                strcat(series[i], (const char *[]){"!", "#!a", "a", " ", "\"#"}[random64() % 5]);
            } else {
                name_series(series[i]);
            }
            again = !is_series(series[i]) || strlen(series[i]) > 50 ||
                    (!strchr(series[i], ',') && strlen(series[i]) > 3);
            for (size_t k = 0; k < i; k++)
                again |= strcmp(series[i], series[k]) == 0;
        }
    }
    qsort(series, SERIES, sizeof(series[0]), by_text);
    for (size_t i = 0; i < SERIES; i++)
        for (size_t k = 0; k < FIELD_NAMES; k++)
            sprintf(keys[i][k], "%s" SERIESKEY_SEPARATOR "%s", series[i], fields[k]);
}

static size_t first_time(size_t shard)
{
    return shard ? 35 + random64() % 5 : random64() % 20;
}

/* Some values of a field of a series, as text and in the model; what the tombstone deletes is not in
 * the model. */
static void make_values(struct buffer *text, int64_t of[TIMES], size_t first, size_t dead_from,
                        size_t dead_to)
{
    bool any = false;
    text->n = 0;
    for (size_t t = first; t < first + 20; t++) {
        int64_t v = (int64_t)(random64() % 1000) + 1;
        if (random64() % 4 && (any || t + 1 < first + 20))
            continue;
        buffer_text(text, "%s%zu=%" PRId64, any ? " " : "", t, v);
        any = true;
        if (t < dead_from || t > dead_to)
            of[t] = v;
    }
    buffer_add(text, "", 1);
}

static void make_file(struct memory *m, size_t shard, size_t file)
{
    struct field_text list[SERIES * FIELD_NAMES];
    struct buffer texts[SERIES * FIELD_NAMES] = {0}, tombstone = {0};
    size_t n = 0;
    for (size_t i = 0; i < SERIES; i++)
        for (size_t k = 0; k < FIELD_NAMES; k++) {
            size_t first = first_time(shard), from = TIMES, to = 0;
            if (random64() % 3)
                continue;
            if (random64() % 8 == 0) {
                from = first + random64() % 20;
                to = from + random64() % 30;
                if (!tombstone.p)
                    add_be(&tombstone, 0x1502, 4);
                add_delete(&tombstone, keys[i][k], (int64_t)from, (int64_t)to);
            }
            make_values(&texts[n], model[shard][i][k], first, from, to);
            list[n] = (struct field_text){keys[i][k], VALUE_INTEGER, texts[n].p};
            n++;
        }
    for (size_t i = 1; i < n; i++) /* keys of a file ascend */
        for (size_t k = i; k > 0 && strcmp(list[k].key, list[k - 1].key) < 0; k--) {
            struct field_text other = list[k];
            list[k] = list[k - 1];
            list[k - 1] = other;
        }
    if (n > 0)
        memory_add(m, shard_names[shard][0], file_names[file][0], tsm_of(list, n));
    if (n > 0 && tombstone.p)
        memory_add(m, shard_names[shard][0], file_names[file][1], tombstone);
    for (size_t i = 0; i < n; i++)
        buffer_free(&texts[i]);
}

/* What the WAL holds counts before what files hold: it is made apart, so that its deletes delete nothing
 * else. */
static void make_wal(struct memory *m, size_t shard)
{
    static int64_t own[SERIES][FIELD_NAMES][TIMES];
    struct buffer wal = {0}, text = {0};
    memset(own, 0, sizeof(own));
    for (size_t n = random64() % 24; n > 0; n--) {
        size_t i = random64() % SERIES, k = random64() % FIELD_NAMES, t = random64() % TIMES;
        if (random64() % 4 == 0) {
            wal_delete(&wal, keys[i][k], (int64_t)t, TIMES);
            memset(&own[i][k][t], 0, (TIMES - t) * sizeof(own[i][k][t]));
            continue;
        }
        make_values(&text, own[i][k], first_time(shard), TIMES, 0);
        wal_write(&wal, &(struct field_text){keys[i][k], VALUE_INTEGER, text.p});
    }
    for (size_t i = 0; i < SERIES; i++)
        for (size_t k = 0; k < FIELD_NAMES; k++)
            for (size_t t = 0; t < TIMES; t++)
                if (own[i][k][t])
                    model[shard][i][k][t] = own[i][k][t];
    if (wal.p)
        memory_add(m, shard_names[shard][1], "_00001.wal", wal);
    buffer_free(&text);
}

static struct memory *make_store(void)
{
    static const struct shard_times times[SHARDS] = {{1, 0, 40}, {2, 35, 60}};
    struct memory *m = memory_new();
    memset(model, 0, sizeof(model));
    name_all();
    memory_meta(m, times, SHARDS);
    for (size_t s = 0; s < SHARDS; s++) {
        for (size_t f = random64() % 2; f < FILES; f++)
            make_file(m, s, f);
        make_wal(m, s);
    }
    return m;
}

/* A row of the model, "SERIES TIME FIELD=VALUE…"; nothing: it has none there. */
static void put_model(struct buffer *out, size_t shard, size_t i, size_t t)
{
    bool any = false;
    for (size_t k = 0; k < FIELD_NAMES; k++) {
        int64_t v = model[shard][i][k][t];
        if (v && !any)
            buffer_text(out, "%s %zu", series[i], t);
        if (v)
            buffer_text(out, " %s=%" PRId64, fields[k], v);
        any |= v != 0;
    }
    if (any)
        buffer_text(out, "\n");
}

static bool is_of(const char *name, const char *measurement)
{
    size_t n = strlen(measurement);
    return strncmp(name, measurement, n) == 0 && (name[n] == ',' || !name[n]);
}

static struct buffer model_text(int64_t from, int64_t to)
{
    struct buffer out = {0};
    for (size_t i = 0; i < SERIES; i++)
        for (size_t t = (size_t)from; is_of(series[i], "m") && t < (size_t)to; t++)
            for (size_t s = 0; s < SHARDS; s++)
                put_model(&out, s, i, t);
    buffer_add(&out, "", 1);
    return out;
}

static void put_row(struct buffer *out, const struct points *p, const struct points_row *row)
{
    buffer_text(out, "%.*s %" PRId64, (int)row->series.n, row->series.p, row->time);
    for (size_t i = 0; i < points_columns(p); i++) {
        const struct points_column *c = points_column(p, i);
        if (row->cells[i].present && !c->is_tag)
            buffer_text(out, " %.*s=%" PRId64, (int)c->name.n, c->name.p, row->cells[i].value.i);
    }
    buffer_text(out, "\n");
}

/* All rows, or those after the mark; *marks gets the mark after each row, *ends where its text ends. */
static struct buffer read_rows(struct schema_cache *c, const struct points_query *q,
                               const struct buffer *from, struct buffer *marks, size_t *ends,
                               size_t *n)
{
    struct buffer out = {0};
    struct points *p = NULL;
    struct points_row row;
    struct err e = {0};
    struct slice last = {0};
    int r = points_open(c, q, &p, &e);
    if (r == 0 && from)
        r = points_resume(p, (struct slice){from->p, from->n}, &e);
    while (r == 0 && (r = points_next(p, &row, &e)) == 1) {
        char *key = strndup(row.series.p, row.series.n);
        assert_int_equal(row.begins, !last.p || strcmp(last.p, key) != 0);
        free((char *)last.p);
        last.p = key;
        put_row(&out, p, &row);
        if (marks) {
            assert_int_equal(points_mark(p, &marks[*n]), 0);
            ends[(*n)++] = out.n;
        }
        r = 0;
    }
    if (r < 0)
        fail_msg("%s", e.text);
    free((char *)last.p);
    points_free(p);
    buffer_add(&out, "", 1);
    return out;
}

static struct schema_cache *open_cache(struct memory *m)
{
    struct schema_cache *c;
    struct err e = {0};
    if (schema_cache_open(&m->c, NULL, NULL, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static struct points_spilled put_down;
static const char *folder; /* where it is put down */

#define ROWS (SERIES * SHARDS * TIMES)

/* Each with a cache of its own, which keeps no WAL yet, or all with the same one. */
static void check(struct memory *m, int64_t from, int64_t to, size_t memory, bool anew)
{
    static struct buffer marks[ROWS];
    static size_t ends[ROWS];
    size_t n = 0;
    const struct points_query q = {.db = "db",
                                   .rp = "rp",
                                   .measurement = {"m", 1},
                                   .from = from,
                                   .to = to,
                                   .way = POINTS_ALL,
                                   .memory = memory,
                                   .folder = folder,
                                   .spilled = &put_down};
    struct schema_cache *c = open_cache(m);
    struct buffer want = model_text(from, to), got = read_rows(c, &q, NULL, marks, ends, &n);
    assert_string_equal(got.p, want.p);
    for (size_t i = 0; i < n; i++) {
        if (random64() % 8 == 0) {
            if (anew) {
                schema_cache_unref(c);
                c = open_cache(m);
            }
            struct buffer rest = read_rows(c, &q, &marks[i], NULL, NULL, NULL);
            assert_string_equal(rest.p, want.p + ends[i]);
            buffer_free(&rest);
        }
        buffer_free(&marks[i]);
    }
    schema_cache_unref(c);
    buffer_free(&want);
    buffer_free(&got);
}

/* Bytes of WALs and tombstones that were read since the last call. */
static uint64_t read_again(struct memory *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->c.n; i++)
        if (strstr(m->members[i].name, ".wal") || strstr(m->members[i].name, ".tombstone"))
            n += m->read[i];
    memset(m->read, 0, sizeof(m->read));
    return n;
}

/* Hardly any memory means that WALs and tombstones are read again and again, or put down. */
static void test_like_the_model(void **state)
{
    uint64_t enough = 0, little = 0;
    unsigned files = 0;
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct memory *m = make_store();
        check(m, 0, TIMES, 0, false);
        check(m, (int64_t)(random64() % 30), (int64_t)(30 + random64() % 30), 0, false);
        read_again(m);
        check(m, 0, TIMES, 0, true);
        enough += read_again(m);
        assert_int_equal(put_down.most, 0);
        check(m, 0, TIMES, 1, true);
        little += read_again(m);
        files += put_down.most > 0;
        assert_int_equal(put_down.bytes, 0);
        put_down.most = 0;
        capture_unref(&m->c);
    }
    assert_true(2 * little > 3 * enough);
    assert_true(files > ROUNDS / 10);
}

/* Where nothing can be put down, WALs are replayed more often. */
static void test_no_folder(void **state)
{
    (void)state;
    folder = "/proc/no such folder";
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct memory *m = make_store();
        check(m, 0, TIMES, 1, true);
        capture_unref(&m->c);
    }
    assert_int_equal(put_down.most, 0);
    folder = NULL;
}

/* The same where the disk becomes full, while WALs are put down or when they are read from there. */
static void test_no_room(void **state)
{
    size_t failed = 0;
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct memory *m = make_store();
        uses = 0;
        fails_from = 1 + random64() % 30;
        check(m, 0, TIMES, 1, true);
        failed += uses >= fails_from;
        fails_from = 0;
        capture_unref(&m->c);
    }
    assert_true(failed > ROUNDS / 30);
}

/* Keys of a tag "#!~" are read as those of an empty one, by influxd too: once, and at that place. */
static void test_separator_within_tag(void **state)
{
    static const struct shard_times times[] = {{1, 0, 40}};
    static const struct field_text list[] = {{"m,t=#!~!#!~#f", VALUE_INTEGER, "1=7"},
                                             {"m,t=#!~#!~#f", VALUE_INTEGER, "1=8"}};
    const struct points_query q = {
        .db = "db", .rp = "rp", .measurement = {"m", 1}, .from = 0, .to = 40, .way = POINTS_ALL};
    struct memory *m = memory_new();
    struct schema_cache *c;
    struct err e = {0};
    (void)state;
    memory_meta(m, times, 1);
    memory_add(m, shard_names[0][0], file_names[0][0], tsm_of(list, 2));
    if (schema_cache_open(&m->c, NULL, NULL, &c, &e) < 0)
        fail_msg("%s", e.text);
    struct buffer got = read_rows(c, &q, NULL, NULL, NULL, NULL);
    assert_string_equal(got.p, "m,t= 1 !~#f=8\nm,t=#!~! 1 f=7\n");
    buffer_free(&got);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_the_model),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_separator_within_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
