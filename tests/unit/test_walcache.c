/* SPDX-License-Identifier: MIT */
/* walcache and keyindex: what is known of a whole shard, key by key. */
#include "store/points/keyindex.h"
#include "store/points/walcache.h"
#include "tests/unit/memory_capture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FIELD(...) (&(const struct field_text){__VA_ARGS__})
#define FOLDER "wal/db/rp/1"

/* Two segments: the second rewrites and deletes what the first wrote. */
static struct memory *two_segments(void)
{
    struct memory *m = memory_new();
    struct buffer first = {0}, second = {0};
    wal_write(&first, FIELD("cpu,h=b#!~#v", VALUE_INTEGER, "5=5 1=1 3=3 1=10"));
    wal_write(&first, FIELD("cpu2#!~#v", VALUE_FLOAT, "1=0.5"));
    wal_write(&first, FIELD("cpu#!~#w", VALUE_STRING, "2=two 1=one"));
    wal_write(&first, FIELD("cpu,h=b#!~#gone", VALUE_BOOLEAN, "1=true"));
    wal_delete(&second, "cpu,h=b#!~#gone", INT64_MIN, INT64_MAX);
    wal_delete(&second, "cpu,h=b#!~#v", 3, 4);
    wal_write(&second, FIELD("cpu,h=b#!~#v", VALUE_INTEGER, "5=50 4=4"));
    wal_write(&second, FIELD("cpu#!~#v", VALUE_UNSIGNED, "1=18446744073709551615"));
    memory_add(m, FOLDER, "_00001.wal", first);
    memory_add(m, FOLDER, "_00002.wal", second);
    return m;
}

static const struct shard_files both = {
    .db = "db", .rp = "rp", .id = 1, .nwal = 2, .wal = (size_t[]){0, 1}};

static void put_key(struct buffer *b, const struct walcache_key *k)
{
    assert_int_equal(k->series.n + strlen(SERIESKEY_SEPARATOR) + k->field.n, k->key.n);
    buffer_text(b, "%.*s/%d", (int)k->key.n, k->key.p, k->type);
    for (size_t i = 0; i < k->n; i++) {
        const struct walcache_value *v = &k->values[i];
        buffer_text(b, " %" PRId64 "=", v->time);
        if (k->type == VALUE_STRING)
            buffer_text(b, "%.*s", (int)v->value.s.len, k->text + v->value.s.off);
        else if (k->type == VALUE_FLOAT)
            buffer_text(b, "%g", v->value.f);
        else
            buffer_text(b, "%" PRIu64, v->value.u);
    }
    buffer_text(b, "\n");
}

static const char cpu_alone[] = "cpu#!~#v/4 1=18446744073709551615\n"
                                "cpu#!~#w/3 1=one 2=two\n"
                                "cpu,h=b#!~#v/1 1=10 4=4 5=50\n";

static void test_all_keys(void **state)
{
    (void)state;
    struct memory *m = two_segments();
    const struct walcache_query query = {.of = {.capture = &m->c, .shard = &both}};
    struct walcache *w;
    struct buffer b = {0};
    assert_int_equal(walcache_open(&query, &w, NULL), 0);
    for (size_t i = 0; i < walcache_count(w); i++) {
        const struct walcache_key k = walcache_at(w, i);
        struct walcache_key found;
        assert_true(walcache_find(w, k.key, &found));
        assert_ptr_equal(found.values, k.values);
        put_key(&b, &k);
    }
    buffer_add(&b, "", 1);
    assert_memory_equal(b.p, cpu_alone, strlen(cpu_alone));
    assert_string_equal(b.p + strlen(cpu_alone), "cpu2#!~#v/0 1=0.5\n");
    struct walcache_key gone;
    assert_false(walcache_find(w, (struct slice){"cpu,h=b#!~#gone", 15}, &gone));
    walcache_unref(w);
    buffer_free(&b);
    capture_unref(&m->c);
}

/* Whether they are picked out of all, or alone were replayed. */
static void test_keys_of_a_measurement(void **state)
{
    (void)state;
    struct memory *m = two_segments();
    const struct slice cpu = {"cpu", 3}, none = {"cpu1", 4};
    for (int alone = 0; alone < 2; alone++) {
        const struct walcache_query query = {
            .of = {.capture = &m->c, .shard = &both, .measurement = alone ? &cpu : NULL}};
        struct walcache_key k;
        struct walcache *w;
        struct buffer b = {0};
        assert_int_equal(walcache_open(&query, &w, NULL), 0);
        assert_int_equal(walcache_count(w), alone ? 3 : 4);
        for (size_t i = 0; walcache_next(w, cpu, &i, &k);)
            put_key(&b, &k);
        buffer_add(&b, "", 1);
        assert_string_equal(b.p, cpu_alone);
        size_t at = 0;
        assert_false(walcache_next(w, none, &at, &k));
        walcache_unref(w);
        buffer_free(&b);
    }
    capture_unref(&m->c);
}

/* A series at a time: each replay goes on after the one before, and none holds what is another's. */
static void test_by_parts(void **state)
{
    static const char two[] = "cpu#!~#v/4 1=18446744073709551615\n"
                              "cpu#!~#w/3 1=one 2=two\n";
    static const char *const parts[] = {two, "cpu,h=b#!~#v/1 1=10 4=4 5=50\n",
                                        "cpu2#!~#v/0 1=0.5\n"};
    (void)state;
    struct memory *m = two_segments();
    struct buffer from = {0};
    for (size_t part = 0; part < 3; part++) {
        const struct walcache_query query = {
            .of = {.capture = &m->c, .shard = &both, .from = {from.p, from.n}}, .memory = 1};
        struct walcache *w;
        struct buffer b = {0};
        assert_int_equal(walcache_open(&query, &w, NULL), 0);
        for (size_t i = 0; i < walcache_count(w); i++) {
            const struct walcache_key k = walcache_at(w, i);
            put_key(&b, &k);
        }
        buffer_add(&b, "", 1);
        assert_string_equal(b.p, parts[part]);
        const struct slice rest = walcache_rest(w);
        from.n = 0;
        buffer_add(&from, rest.p, rest.n);
        assert_true(rest.p || part == 2);
        walcache_unref(w);
        buffer_free(&b);
    }
    buffer_free(&from);
    capture_unref(&m->c);
}

/* A field of two types, which influxd would refuse, and an entry that is cut off. */
static void test_damage(void **state)
{
    (void)state;
    struct memory *m = two_segments();
    const struct walcache_query query = {.of = {.capture = &m->c, .shard = &both}};
    struct walcache *w;
    struct err e = {0};
    wal_write(&m->bytes[1], FIELD("cpu#!~#w", VALUE_FLOAT, "1=1"));
    m->members[1].attr.size = m->bytes[1].n;
    assert_int_equal(walcache_open(&query, &w, &e), -EBADMSG);
    assert_string_equal(e.text,
                        FOLDER "/_00002.wal: the field w is float here and string elsewhere "
                               "in its shard");
    m->members[1].attr.size -= 1;
    assert_int_equal(walcache_open(&query, &w, &e), -EBADMSG);
    assert_non_null(strstr(e.text, FOLDER "/_00002.wal"));
    capture_unref(&m->c);
}

static void test_places_in_files(void **state)
{
    (void)state;
    static const struct field_text fields[] = {{"cpu#!~#v", VALUE_INTEGER, "1=1"},
                                               {"cpu,h=b#!~#v", VALUE_INTEGER, "1=1"},
                                               {"cpu2#!~#v", VALUE_INTEGER, "1=1"},
                                               {"mem,h=a#!~#v", VALUE_INTEGER, "1=1"}};
    static const struct {
        const char *name, *first; /* NULL: it is not there */
    } known[] = {{"cpu", "cpu#!~#v"}, {"cpu2", "cpu2#!~#v"}, {"mem", "mem,h=a#!~#v"}, {"me", NULL}};
    struct memory *m = memory_new();
    struct shard_tsm tsm = {0, MEMBER_NONE};
    const struct shard_files one = {.db = "db", .rp = "rp", .ntsm = 1, .tsm = &tsm};
    struct keyindex *keys;
    struct tsmfile *f;
    memory_add(m, "data/db/rp/1", "000000001-000000001.tsm", tsm_of(fields, 4));
    assert_int_equal(keyindex_open(&m->c, &one, NULL, &keys, NULL), 0);
    struct source s = source_of(&m->bytes[0]);
    assert_int_equal(tsmfile_open(&s, &f, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        const struct slice name = {known[i].name, strlen(known[i].name)};
        struct tsmfile_place place;
        struct tsmfile_key key;
        assert_int_equal(keyindex_find(keys, 0, name, &place), known[i].first != NULL);
        if (!known[i].first)
            continue;
        tsmfile_seek_place(f, place, name.p, name.n);
        assert_int_equal(tsmfile_next(f, &key, NULL), 1);
        assert_int_equal(key.len, strlen(known[i].first));
        assert_memory_equal(key.key, known[i].first, key.len);
    }
    tsmfile_free(f);
    keyindex_unref(keys);
    capture_unref(&m->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_keys),        cmocka_unit_test(test_keys_of_a_measurement),
        cmocka_unit_test(test_by_parts),        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_places_in_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
