/* SPDX-License-Identifier: MIT */
/* schema and dump_name: what files hold without their values, and the names of dumps. */
#include "store/export/dump_name.h"
#include "store/points/schema.h"
#include "tests/unit/tsm_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static struct err err;

/* "measurement: fields; tags; days" of all measurements, one a line. */
static const char *text_of(const struct schema *o)
{
    static struct buffer b;
    b.n = 0;
    for (size_t i = 0; i < schema_count(o); i++) {
        const struct schema_measurement *m = schema_at(o, i);
        buffer_text(&b, "%.*s:", (int)m->name.n, m->name.p);
        for (size_t k = 0; k < m->nfields; k++)
            buffer_text(&b, " %.*s/%d", (int)m->fields[k].name.n, m->fields[k].name.p,
                        m->fields[k].type);
        buffer_text(&b, ";");
        for (size_t k = 0; k < m->ntags; k++)
            buffer_text(&b, " %.*s", (int)m->tags[k].n, m->tags[k].p);
        buffer_text(&b, ";");
        for (size_t k = 0; k < m->days.n; k++)
            buffer_text(&b, " %d-%d", m->days.list[k].first, m->days.list[k].last);
        buffer_text(&b, "\n");
    }
    buffer_add(&b, "", 1);
    return b.p;
}

static void test_days(void **state)
{
    (void)state;
    struct days d = {0};
    static const struct day_range add[] = {{5, 5}, {9, 10}, {1, 2}, {6, 6}, {3, 3}, {-4, -3}};
    for (size_t i = 0; i < sizeof(add) / sizeof(add[0]); i++)
        assert_int_equal(days_add(&d, add[i]), 0);
    static const struct day_range want[] = {{-4, -3}, {1, 3}, {5, 6}, {9, 10}};
    assert_int_equal(d.n, 4);
    assert_memory_equal(d.list, want, sizeof(want));
    assert_true(days_have(&d, (struct day_range){1, 3}));
    assert_false(days_have(&d, (struct day_range){3, 5}));
    assert_true(days_meet(&d, (struct day_range){3, 5}));
    assert_false(days_meet(&d, (struct day_range){7, 8}));
    assert_int_equal(days_add(&d, (struct day_range){-10, 20}), 0);
    assert_int_equal(d.n, 1);
    days_clear(&d);
}

static const char *const keys[] = {"a#!~#v", "b\\ c,host=h1,x\\,y=2#!~#f", "b\\ c,host=h2#!~#g"};

static void test_tsm(void **state)
{
    (void)state;
    struct buffer f = tsm_file(keys, 3, 2);
    struct source s = source_of(&f);
    struct schema *o = schema_new();
    assert_int_equal(schema_add_tsm(o, &s, NULL, &err), 0);
    assert_string_equal(text_of(o), "a: v/1;; 0-0\nb c: f/1 g/1; host x,y; 0-0\n");
    assert_non_null(schema_find(o, (struct slice){"b c", 3}));
    assert_null(schema_find(o, (struct slice){"b", 1}));
    schema_free(o);
    /* Whatever byte of the index is damaged: an error, or other names. */
    for (size_t i = f.n - 8 - 30; i < f.n; i++) {
        f.p[i] ^= 0x55;
        o = schema_new();
        int r = schema_add_tsm(o, &s, NULL, &err);
        assert_true(r == 0 || r == -EBADMSG);
        schema_free(o);
        f.p[i] ^= 0x55;
    }
    buffer_free(&f);
}

/* Points that are two days apart: the index alone does not tell the days. */
static void test_days_of_blocks(void **state)
{
    (void)state;
    struct buffer f = tsm_file_every(2 * 86400, keys, 1, 2), t = {0}, deletes = {0};
    struct source s = source_of(&f);
    struct schema *o = schema_new();
    assert_int_equal(schema_add_tsm(o, &s, NULL, &err), 0);
    assert_int_equal(schema_at(o, 0)->days.n, 20);
    assert_int_equal(schema_at(o, 0)->days.list[19].first, 38);
    schema_free(o);
    add_be(&t, 0x1502, 4);
    add_delete(&deletes, keys[0], 1, 6 * DAY_NS);
    add_delete(&deletes, keys[0], 10 * DAY_NS, INT64_MAX);
    buffer_add(&t, deletes.p, deletes.n);
    struct source tombstone = source_of(&t);
    o = schema_new();
    assert_int_equal(schema_add_tsm(o, &s, &tombstone, &err), 0);
    assert_string_equal(text_of(o), "a: v/1;; 0-0 8-8\n");
    schema_free(o);
    add_delete(&t, keys[0], INT64_MIN, INT64_MAX);
    tombstone = source_of(&t);
    o = schema_new();
    assert_int_equal(schema_add_tsm(o, &s, &tombstone, &err), 0);
    assert_int_equal(schema_count(o), 0);
    schema_free(o);
    buffer_free(&f);
    buffer_free(&t);
    buffer_free(&deletes);
}

/* One value of a key. */
static void add_write(struct buffer *b, const char *key, int64_t day)
{
    struct buffer p = {0};
    add_be(&p, 2, 1);
    add_be(&p, strlen(key), 2);
    buffer_text(&p, "%s", key);
    add_be(&p, 1, 4);
    add_be(&p, (uint64_t)(day * DAY_NS), 8);
    add_be(&p, 1, 8);
    add_entry(b, 1, &p);
    buffer_free(&p);
}

static void add_remove(struct buffer *b, const char *key, int64_t first_day, int64_t last_day)
{
    struct buffer p = {0};
    add_be(&p, (uint64_t)(first_day * DAY_NS), 8);
    add_be(&p, (uint64_t)(last_day * DAY_NS), 8);
    add_be(&p, strlen(key), 4);
    buffer_text(&p, "%s", key);
    add_entry(b, 3, &p);
    buffer_free(&p);
}

/* A delete reaches what was written before it, in an earlier segment too, and nothing later. */
static void test_wal(void **state)
{
    (void)state;
    struct buffer one = {0}, two = {0};
    add_write(&one, "m,t=1#!~#v", 1);
    add_write(&one, "m,t=1#!~#v", 2);
    add_write(&one, "gone,t=1#!~#v", 2);
    add_write(&one, "m,u=1#!~#w", 3);
    add_remove(&two, "m,t=1#!~#v", 1, 2);
    add_remove(&two, "gone,t=1#!~#v", 0, 9);
    add_write(&two, "m,t=1#!~#v", 2);
    add_remove(&two, "m,t=1#!~#v", 5, 9);
    struct source a = source_of(&one), b = source_of(&two);
    const struct source *segments[] = {&a, &b};
    struct schema *o = schema_new();
    assert_int_equal(schema_add_wal(o, segments, 2, &err), 0);
    assert_string_equal(text_of(o), "m: w/1 v/1; u t; 2-3\n");
    schema_free(o);
    o = schema_new();
    assert_int_equal(schema_add_wal(o, segments, 1, &err), 0);
    assert_string_equal(text_of(o), "gone: v/1; t; 2-2\nm: v/1 w/1; t u; 1-3\n");
    schema_free(o);
    buffer_free(&one);
    buffer_free(&two);
}

static void test_pack(void **state)
{
    (void)state;
    struct buffer f = tsm_file_every(2 * 86400, keys, 3, 1);
    struct source s = source_of(&f);
    struct schema *o = schema_new(), *again = schema_new();
    void *bytes;
    size_t n;
    assert_int_equal(schema_add_tsm(o, &s, NULL, &err), 0);
    assert_int_equal(schema_pack(o, &bytes, &n), 0);
    assert_int_equal(schema_unpack(again, bytes, n), 0);
    char *before = strdup(text_of(o));
    assert_string_equal(text_of(again), before);
    assert_int_equal(schema_add(again, o), 0); /* nothing new */
    assert_string_equal(text_of(again), before);
    free(before);
    schema_free(again);
    for (size_t i = 0; i < n; i++) {
        again = schema_new();
        char *copy = malloc(i + 1); /* so that reading past its end is seen */
        memcpy(copy, bytes, i);
        int r = schema_unpack(again, copy, i);
        assert_true(r == 0 || r == -EBADMSG);
        free(copy);
        schema_free(again);
    }
    free(bytes);
    schema_free(o);
    o = schema_new();
    assert_int_equal(schema_pack(o, &bytes, &n), 0);
    assert_int_equal(n, 0);
    free(bytes);
    schema_free(o);
    buffer_free(&f);
}

static struct slice slice(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static void test_coded_names(void **state)
{
    (void)state;
    char out[DUMP_NAME_MAX + 1], text[1200];
    static const struct {
        const char *name, *coded;
    } known[] = {{"plain", "plain"},
                 {"a/b%c", "a%2Fb%25c"},
                 {".", "%2E"},
                 {"..", "%2E%2E"},
                 {"...", "..."},
                 {".a", ".a"},
                 {"\x01\x7f\t", "%01%7F%09"},
                 {"\xc3\xbc \xff", "\xc3\xbc \xff"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        dump_name_folder(slice(known[i].name), out);
        assert_string_equal(out, known[i].coded);
        dump_name_file(slice(known[i].name), 16963, DUMP_CSV, DUMP_NAMES_COLONS, out);
        snprintf(text, sizeof(text), "%s_2016-06-11-00:00:00_2016-06-12-00:00:00.csv",
                 known[i].coded);
        assert_string_equal(out, text);
        struct dump_name name;
        assert_true(dump_name_parse(out, DUMP_CSV, &name));
        assert_int_equal(name.n, strlen(known[i].name));
        assert_memory_equal(name.measurement, known[i].name, name.n);
        assert_int_equal(name.from, 16963 * DAY_NS);
        assert_int_equal(name.to, 16964 * DAY_NS);
        assert_false(name.shortened);
    }
}

static void test_compact_names(void **state)
{
    (void)state;
    char out[DUMP_NAME_MAX + 1], colons[DUMP_NAME_MAX + 1], text[300] = "";
    struct dump_name name, same;
    dump_name_file(slice("m"), 16963, DUMP_CSV, DUMP_NAMES_COMPACT, out);
    assert_string_equal(out, "m_20160611T000000Z_20160612T000000Z.csv");
    /* The first day begins before what 64 bits can say. */
    dump_name_file(slice("m"), -106752, DUMP_LP, DUMP_NAMES_COMPACT, out);
    assert_string_equal(out, "m_16770921T000000Z_16770922T000000Z.lp");
    assert_true(dump_name_parse(out, DUMP_LP, &name));
    assert_true(name.from == INT64_MIN && name.to == -106751 * DAY_NS);
    for (size_t n = 200; n < 220; n++) {
        memset(text, 'x', n);
        dump_name_file((struct slice){text, n}, 0, DUMP_JSON, DUMP_NAMES_COMPACT, out);
        dump_name_file((struct slice){text, n}, 0, DUMP_JSON, DUMP_NAMES_COLONS, colons);
        assert_null(strchr(out, ':'));
        assert_true(dump_name_parse(out, DUMP_JSON, &name));
        assert_true(dump_name_parse(colons, DUMP_JSON, &same));
        assert_string_equal(name.coded, same.coded);
        assert_true(name.from == same.from && name.to == same.to);
    }
    assert_true(dump_name_parse("a_b_19700101T000000.5Z_1970-01-01-00:00:01.000000001.json",
                                DUMP_JSON, &name));
    assert_true(name.from == SECOND / 2 && name.to == SECOND + 1 && name.n == 3);
}

static void test_cut_names(void **state)
{
    (void)state;
    char out[DUMP_NAME_MAX + 1], other[DUMP_NAME_MAX + 1], text[1200] = "";
    struct dump_name name;
    for (size_t n = 200; n < 220; n++) {
        memset(text, 'x', n);
        dump_name_file((struct slice){text, n}, 0, DUMP_JSON, DUMP_NAMES_COLONS, out);
        assert_true(strlen(out) <= DUMP_NAME_MAX);
        assert_true(dump_name_parse(out, DUMP_JSON, &name));
        assert_int_equal(name.shortened, n > 210);
        if (!name.shortened)
            assert_int_equal(name.n, n);
        assert_true(dump_name_is_shortened_of(&name, (struct slice){text, n}));
        assert_int_equal(strncmp(out, text, 180), 0);
        assert_int_equal(out[180], n > 210 ? '~' : 'x');
    }
    text[219] = 'y';
    dump_name_file((struct slice){text, 220}, 0, DUMP_JSON, DUMP_NAMES_COLONS, out);
    text[219] = 'z';
    dump_name_file((struct slice){text, 220}, 0, DUMP_JSON, DUMP_NAMES_COLONS, other);
    assert_string_not_equal(out, other);
    /* Neither an escape nor a character is cut through. */
    memset(text, 'x', 179);
    snprintf(text + 179, 600, "\xc3\xbc%0500d", 0);
    dump_name_folder(slice(text), out);
    assert_int_equal(out[179], '~');
    snprintf(text + 178, 600, "/%0500d", 0);
    dump_name_folder(slice(text), out);
    assert_int_equal(out[178], '~');
    assert_int_equal(strlen(out), 178 + 17);
}

static void test_parse(void **state)
{
    (void)state;
    struct dump_name name;
    static const char *const bad[] = {
        "",
        ".json",
        "m.json",
        "m_2016-06-11-00:00:00.json",
        "_2016-06-11-00:00:00_2016-06-12-00:00:00.json",
        "m_2016-06-11-00:00:00_2016-06-12-00:00:00.csv",
        "m_2016-06-11-00:00:00_2016-06-12-00:00:00",
        "m_2016-06-11-24:00:00_2016-06-12-00:00:00.json",
        "m_2016-06-31-00:00:00_2016-07-12-00:00:00.json",
        "m_2016-06-11-00:00:00._2016-06-12-00:00:00.json",
        "m_2016-06-11-00:00:00.1234567890_2016-06-12-00:00:00.json",
        "m_2016-06-11T00:00:00_2016-06-12-00:00:00.json",
        "m_20160611T000000_20160612T000000.json",
        "m_20160611-000000Z_20160612-000000Z.json",
        "m_20160611T240000Z_20160612T000000Z.json",
        "m_20160631T000000Z_20160712T000000Z.json",
        "m_20160611T000000.Z_20160612T000000Z.json",
        "m_20160611T000000Z.5_20160612T000000Z.json",
        "m_2016-06-11T00:00:00Z_2016-06-12T00:00:00Z.json",
        "m_Z_Z.json",
        "m%2_2016-06-11-00:00:00_2016-06-12-00:00:00.json",
        "m%_2016-06-11-00:00:00_2016-06-12-00:00:00.json",
        "m%gg_2016-06-11-00:00:00_2016-06-12-00:00:00.json",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (dump_name_parse(bad[i], DUMP_JSON, &name))
            fail_msg("taken: %s", bad[i]);
    assert_true(dump_name_parse("a_b_1970-01-01-00:00:00.5_1970-01-01-00:00:01.000000001.json",
                                DUMP_JSON, &name));
    assert_int_equal(name.n, 3);
    assert_int_equal(name.from, SECOND / 2);
    assert_int_equal(name.to, SECOND + 1);
    assert_true(
        dump_name_parse("m_0001-01-01-00:00:00_9999-12-31-23:59:59.json", DUMP_JSON, &name));
    assert_true(name.from == INT64_MIN && name.to == INT64_MAX);
    assert_true(dump_name_parse(
        "m_1677-09-21-00:12:43.145224192_2262-04-11-23:47:16.854775807.json", DUMP_JSON, &name));
    assert_true(name.from == INT64_MIN && name.to == INT64_MAX);
    int32_t day;
    assert_true(dump_name_is_day("2016-02-29", &day));
    assert_int_equal(day, 16860);
    assert_true(dump_name_is_day("1969-12-31", &day));
    assert_int_equal(day, -1);
    assert_false(dump_name_is_day("2015-02-29", &day));
    assert_false(dump_name_is_day("2016-02-29x", &day));
    assert_false(dump_name_is_day("2016-2-29", &day));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),           cmocka_unit_test(test_tsm),
        cmocka_unit_test(test_days_of_blocks), cmocka_unit_test(test_wal),
        cmocka_unit_test(test_pack),           cmocka_unit_test(test_coded_names),
        cmocka_unit_test(test_compact_names),  cmocka_unit_test(test_cut_names),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
