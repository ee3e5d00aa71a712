/* SPDX-License-Identifier: MIT */
/* points and columns: the rows of a measurement out of TSM files, tombstones and WAL, as text. */
#include "store/points/columns.h"
#include "store/points/points.h"
#include "tests/unit/memory_capture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ONE "data/db/rp/1"
#define TWO "data/db/rp/2"
#define WAL1 "wal/db/rp/1"
#define WAL2 "wal/db/rp/2"
#define FILE1 "000000001-000000001.tsm"
#define FILE2 "000000002-000000001.tsm"
#define TOMBSTONE1 "000000001-000000001.tombstone"
#define assert_points(m, way, want) check((m), (way), 0, 10000, (want))

/* Shard 1 holds times from 0, shard 2 from 1000 on. */
static const struct shard_times shards[] = {
    {1, 0, 1000},
    {2, 1000, 2000},
};

static struct memory *store_of_two(void)
{
    struct memory *m = memory_new();
    memory_meta(m, shards, 2);
    return m;
}

static void put_value(struct buffer *b, const struct points_cell *c)
{
    if (c->type == VALUE_FLOAT)
        buffer_text(b, "%g", c->value.f);
    else if (c->type == VALUE_INTEGER)
        buffer_text(b, "%" PRId64, c->value.i);
    else if (c->type == VALUE_UNSIGNED)
        buffer_text(b, "%" PRIu64 "u", c->value.u);
    else if (c->type == VALUE_BOOLEAN)
        buffer_text(b, "%s", c->value.b ? "true" : "false");
    else
        buffer_text(b, "'%.*s'", (int)points_text(c).n, points_text(c).p);
}

/* "TIME COLUMN=VALUE…" of each row, one a line. */
static int read_all(struct schema_cache *c, const struct points_query *q, struct buffer *out,
                    struct err *e)
{
    struct points *p = NULL;
    struct points_row row;
    int r = points_open(c, q, &p, e);
    while (r == 0 && (r = points_next(p, &row, e)) == 1) {
        buffer_text(out, "%" PRId64, row.time);
        for (size_t i = 0; i < points_columns(p); i++) {
            const struct slice name = points_column(p, i)->name;
            if (!row.cells[i].present)
                continue;
            buffer_text(out, " %.*s=", (int)name.n, name.p);
            put_value(out, &row.cells[i]);
        }
        buffer_text(out, "\n");
        r = 0;
    }
    points_free(p);
    buffer_add(out, "", 1);
    return r;
}

static struct points_query query_of(enum points_way way, int64_t from, int64_t to)
{
    return (struct points_query){
        .db = "db", .rp = "rp", .measurement = {"m", 1}, .from = from, .to = to, .way = way};
}

static struct schema_cache *open_contents(struct memory *m)
{
    struct schema_cache *c;
    struct err e = {0};
    if (schema_cache_open(&m->c, NULL, NULL, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

/* More than once, as what is read for the first measurement of a shard is kept for others. */
static void check(struct memory *m, enum points_way way, int64_t from, int64_t to, const char *want)
{
    const struct points_query q = query_of(way, from, to);
    struct schema_cache *c = open_contents(m);
    for (int i = 0; i < 3; i++) {
        struct buffer b = {0};
        struct err e = {0};
        if (read_all(c, &q, &b, &e) < 0)
            fail_msg("%s", e.text);
        assert_string_equal(b.p, want);
        buffer_free(&b);
    }
    schema_cache_unref(c);
}

/* Of values of the same time the latest file's counts, and the WAL's before all; a tombstone
 * deletes from its own file, a delete in the WAL from the WAL before it. */
static void test_which_value_counts(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    struct buffer wal = {0};
    memory_add(m, ONE, FILE1, TSM({"m#!~#v", VALUE_INTEGER, "1=10 2=20 3=30 4=40 5=50"}));
    memory_add(m, ONE, TOMBSTONE1, tombstone_of("m#!~#v", 2, 3));
    memory_add(m, ONE, FILE2, TSM({"m#!~#v", VALUE_INTEGER, "3=31 4=41"}));
    wal_write(&wal, FIELDS({"m#!~#v", VALUE_INTEGER, "7=72 4=42 5=52 6=62 7=73"}));
    wal_delete(&wal, "m#!~#v", 4, 5);
    wal_write(&wal, FIELDS({"m2#!~#v", VALUE_INTEGER, "1=1"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    assert_points(m, POINTS_ANSWER, "1 v=10\n3 v=31\n4 v=41\n5 v=50\n6 v=62\n7 v=73\n");
    assert_points(m, POINTS_ALL, "1 v=10\n3 v=31\n4 v=41\n5 v=50\n6 v=62\n7 v=73\n");
    check(m, POINTS_ANSWER, 4, 7, "4 v=41\n5 v=50\n6 v=62\n");
    check(m, POINTS_ALL, 4, 7, "4 v=41\n5 v=50\n6 v=62\n");
    capture_unref(&m->c);
}

/* A series of which everything is deleted has left neither rows nor columns. */
static void test_all_deleted(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    struct buffer wal = {0};
    memory_add(m, ONE, FILE1,
               TSM({"m,a=1#!~#v", VALUE_INTEGER, "1=10"}, {"m,b=1#!~#w", VALUE_INTEGER, "1=11"}));
    memory_add(m, ONE, TOMBSTONE1, tombstone_of("m,a=1#!~#v", INT64_MIN, INT64_MAX));
    wal_write(&wal, FIELDS({"m,c=1#!~#x", VALUE_INTEGER, "1=12"}));
    wal_delete(&wal, "m,c=1#!~#x", INT64_MIN, INT64_MAX);
    memory_add(m, WAL1, "_00001.wal", wal);
    assert_points(m, POINTS_ANSWER, "1 b='1' w=11\n");
    assert_points(m, POINTS_ALL, "1 b='1' w=11\n");
    capture_unref(&m->c);
}

/* By time, then by strings as long as both cells are. */
static void test_order(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    memory_add(m, ONE, FILE1,
               TSM({"m,h=a#!~#v", VALUE_INTEGER, "1=1 2=2 3=3"},
                   {"m,h=b#!~#s", VALUE_STRING, "2=x 3=y"},
                   {"m,h=b#!~#v", VALUE_INTEGER, "1=11 2=12 4=14"},
                   {"m,h=c#!~#v", VALUE_INTEGER, "1=21 2=22"}));
    memory_add(m, TWO, FILE1, TSM({"m,h=b#!~#v", VALUE_INTEGER, "1000=5 1001=6"}));
    assert_points(m, POINTS_ANSWER,
                  "1 h='a' v=1\n1 h='b' v=11\n1 h='c' v=21\n2 h='a' v=2\n2 h='b' s='x' v=12\n"
                  "2 h='c' v=22\n3 h='a' v=3\n3 h='b' s='y'\n4 h='b' v=14\n"
                  "1000 h='b' v=5\n1001 h='b' v=6\n");
    assert_points(m, POINTS_ALL,
                  "1 h='a' v=1\n2 h='a' v=2\n3 h='a' v=3\n1 h='b' v=11\n2 h='b' s='x' v=12\n"
                  "3 h='b' s='y'\n4 h='b' v=14\n1000 h='b' v=5\n1001 h='b' v=6\n"
                  "1 h='c' v=21\n2 h='c' v=22\n");
    capture_unref(&m->c);
}

/* A number before the strings leaves rows of one time equal: they come as Go's heap moves them. */
static void test_order_of_equals(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    memory_add(m, ONE, FILE1,
               TSM({"m,h=a#!~#a", VALUE_INTEGER, "1=1 2=1"},
                   {"m,h=b#!~#a", VALUE_INTEGER, "1=2 2=2"},
                   {"m,h=c#!~#a", VALUE_INTEGER, "1=3 2=3"}));
    assert_points(m, POINTS_ANSWER,
                  "1 a=1 h='a'\n1 a=3 h='c'\n1 a=2 h='b'\n2 a=3 h='c'\n2 a=2 h='b'\n2 a=1 h='a'\n");
    capture_unref(&m->c);
}

/* In an answer a field has one type, to which numbers are converted; else each its own. */
static void test_types(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    memory_add(m, ONE, FILE1,
               TSM({"m#!~#a", VALUE_INTEGER, "1=7"}, {"m#!~#b", VALUE_UNSIGNED, "1=8"},
                   {"m#!~#c", VALUE_STRING, "2=text"}, {"m#!~#d", VALUE_BOOLEAN, "1=true"}));
    memory_add(m, TWO, FILE1,
               TSM({"m#!~#a", VALUE_FLOAT, "1000=1.5 1001=-2"},
                   {"m#!~#b", VALUE_INTEGER, "1000=-1"}, {"m#!~#c", VALUE_FLOAT, "1000=0.5"},
                   {"m#!~#d", VALUE_STRING, "1000=text"}));
    assert_points(m, POINTS_ANSWER, "1 a=7 b=8\n1000 a=1.5 b=-1 c=0.5 d='text'\n1001 a=-2\n");
    assert_points(m, POINTS_ALL,
                  "1 a=7 b=8u d=true\n2 c='text'\n1000 a=1.5 b=-1 c=0.5 d='text'\n1001 a=-2\n");
    /* Within one shard, columns have the types of that shard alone. */
    check(m, POINTS_ANSWER, 0, 1000, "1 a=7 b=8u d=true\n2 c='text'\n");
    capture_unref(&m->c);
}

/* Shards whose times overlap, as after a policy's shard duration was changed, are merged. */
static void test_overlapping_shards(void **state)
{
    (void)state;
    static const struct shard_times overlapping[] = {
        {1, 0, 1000},
        {2, 500, 1500},
    };
    struct memory *m = memory_new();
    memory_meta(m, overlapping, 2);
    memory_add(m, ONE, FILE1, TSM({"m#!~#v", VALUE_INTEGER, "100=1 700=2 900=3"}));
    memory_add(m, TWO, FILE1, TSM({"m#!~#v", VALUE_INTEGER, "600=4 700=5 800=6"}));
    assert_points(m, POINTS_ANSWER, "100 v=1\n600 v=4\n700 v=2\n700 v=5\n800 v=6\n900 v=3\n");
    capture_unref(&m->c);
}

/* Where the key at hand would end within another's name, or has what must be escaped. */
static void test_names(void **state)
{
    (void)state;
    struct memory *m = memory_new();
    struct points_query q = query_of(POINTS_ANSWER, 0, 10000);
    struct buffer wal = {0}, b = {0};
    memory_meta(m, shards, 2);
    memory_add(m, ONE, FILE1,
               TSM({"a\\ b#!~#v", VALUE_INTEGER, "1=1"},
                   {"a\\ b,t\\,1=x\\ y,u=#!~#v w", VALUE_INTEGER, "2=2"},
                   {"a\\ b2#!~#v", VALUE_INTEGER, "3=3"}));
    wal_write(&wal, FIELDS({"a\\ b2#!~#v", VALUE_INTEGER, "4=4"}));
    wal_write(&wal, FIELDS({"a\\ b#!~#v", VALUE_INTEGER, "5=5"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    struct schema_cache *c = open_contents(m);
    q.measurement = (struct slice){"a b", 3};
    assert_int_equal(read_all(c, &q, &b, NULL), 0);
    assert_string_equal(b.p, "1 v=1\n2 t,1='x y' v w=2\n5 v=5\n");
    buffer_free(&b);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

/* "NAME/TYPE" or "NAME/tag" of each column. */
static const char *columns_text(struct memory *m, enum points_way way, int64_t from, int64_t to)
{
    static char text[512];
    const struct points_query q = query_of(way, from, to);
    struct schema_cache *c = open_contents(m);
    struct columns columns = {0};
    size_t *list, n, at = 0;
    assert_int_equal(shards_range(schema_cache_shards(c), "db", "rp", from, to, &list, &n, NULL),
                     0);
    assert_int_equal(columns_of(c, &q, list, n, &columns, NULL), 0);
    text[0] = 0;
    for (size_t i = 0; i < columns.n; i++) {
        const struct points_column *one = &columns.list[i];
        assert_int_equal(columns_find(&columns, one->name, one->is_tag), i);
        at += (size_t)snprintf(text + at, sizeof(text) - at, one->is_tag ? " %.*s/tag" : " %.*s/%d",
                               (int)one->name.n, one->name.p, one->type);
    }
    assert_int_equal(columns_find(&columns, (struct slice){"none", 4}, false), columns.n);
    columns_clear(&columns);
    free(list);
    schema_cache_unref(c);
    return text;
}

static void test_columns(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    memory_add(m, ONE, FILE1,
               TSM({"m,h=a,x=1#!~#h", VALUE_UNSIGNED, "1=1"},
                   {"m,h=a,x=1#!~#x", VALUE_FLOAT, "1=1"},
                   {"m2,other=1#!~#v", VALUE_FLOAT, "1=1"}));
    memory_add(m, TWO, FILE1, TSM({"m,later=1#!~#b", VALUE_BOOLEAN, "1000=true"}));
    /* Tags stand behind a float and before an unsigned integer of their name. All shards of a
     * database share one index, and so their tags. */
    assert_string_equal(columns_text(m, POINTS_ANSWER, 0, 1000), " h/tag h/4 later/tag x/0 x/tag");
    assert_string_equal(columns_text(m, POINTS_ALL, 0, 1000), " h/tag h/4 x/0 x/tag");
    assert_string_equal(columns_text(m, POINTS_ANSWER, 0, 2000),
                        " b/2 h/tag h/4 later/tag x/0 x/tag");
    assert_string_equal(columns_text(m, POINTS_ANSWER, 5000, 6000), "");
    /* With an index of its own, a shard has its own. */
    memory_add(m, ONE, "index", (struct buffer){0});
    memory_add(m, TWO, "index", (struct buffer){0});
    assert_string_equal(columns_text(m, POINTS_ANSWER, 0, 1000), " h/tag h/4 x/0 x/tag");
    capture_unref(&m->c);
}

static void test_which_types_fit(void **state)
{
    (void)state;
    for (int column = 0; column < VALUE_TYPES; column++)
        for (int value = 0; value < VALUE_TYPES; value++) {
            bool numbers =
                (column == VALUE_FLOAT || column == VALUE_INTEGER) &&
                (value == VALUE_FLOAT || value == VALUE_INTEGER || value == VALUE_UNSIGNED);
            assert_int_equal(columns_fits((enum value_type)column, (enum value_type)value),
                             numbers || column == value);
        }
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    struct schema_cache *c = open_contents(m);
    struct points_query q = query_of(POINTS_ANSWER, 0, 10000);
    struct buffer b = {0};
    struct err e = {0};
    assert_int_equal(read_all(c, &q, &b, &e), 0);
    assert_string_equal(b.p, "");
    q.db = "none";
    assert_int_equal(read_all(c, &q, &b, &e), -ENOENT);
    assert_string_equal(e.text, "no database none with a policy rp");
    buffer_free(&b);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

static void say(void *ctx, const char *words)
{
    buffer_text(ctx, "%s\n", words);
}

/* Reads what damage leaves; what is said of it becomes *said. */
static char *read_damaged(struct memory *m, struct buffer *said)
{
    const struct gaps gaps = {.damage = true, .say = say, .ctx = said};
    struct points_query q = query_of(POINTS_ANSWER, 0, 10000);
    struct schema_cache *c = open_contents(m);
    struct buffer b = {0};
    struct err e = {0};
    schema_cache_allow_damage(c);
    q.gaps = &gaps;
    if (read_all(c, &q, &b, &e) < 0)
        fail_msg("%s", e.text);
    buffer_add(said, "", 1);
    schema_cache_unref(c);
    return b.p;
}

static void test_damaged_block(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    struct points_query q = query_of(POINTS_ANSWER, 0, 10000);
    struct buffer b = {0}, said = {0};
    struct err e = {0};
    memory_add(m, ONE, FILE1, TSM({"m#!~#v", VALUE_INTEGER, "1=10 2=20"}));
    memory_add(m, ONE, FILE2, TSM({"m#!~#v", VALUE_INTEGER, "2=21 3=31"}));
    m->bytes[2].p[12] ^= 1;
    struct schema_cache *c = open_contents(m);
    assert_int_equal(read_all(c, &q, &b, &e), -EBADMSG);
    assert_non_null(strstr(e.text, ONE "/" FILE2));
    autofree char *rest = read_damaged(m, &said);
    assert_string_equal(rest, "1 v=10\n2 v=20\n");
    assert_non_null(strstr(said.p, "left out: this block, key m#!~#v, from 1970-01-01T00:00:00."
                                   "000000002Z to 1970-01-01T00:00:00.000000003Z"));
    buffer_free(&said);
    buffer_free(&b);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

/* A key of the WAL that has no field is damaged: without leave, and with it, it is named. */
static void test_damaged_key(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    struct points_query q = query_of(POINTS_ANSWER, 0, 10000);
    struct buffer wal = {0}, b = {0}, said = {0};
    struct err e = {0};
    wal_write(&wal, FIELDS({"m,#!~#", VALUE_INTEGER, "1=1"}));
    wal_write(&wal, FIELDS({"m#!~#v", VALUE_INTEGER, "2=2"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    struct schema_cache *c = open_contents(m);
    assert_int_equal(read_all(c, &q, &b, &e), -EBADMSG);
    assert_non_null(strstr(e.text, WAL1 "/_00001.wal: damaged: a key without a field"));
    autofree char *rest = read_damaged(m, &said);
    assert_string_equal(rest, "2 v=2\n");
    assert_non_null(strstr(said.p, "left out: key m,#!~#"));
    buffer_free(&said);
    buffer_free(&b);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

/* One that does not tell its measurement may be of any, so that each names it. */
static void test_damaged_key_of_no_measurement(void **state)
{
    (void)state;
    struct memory *m = store_of_two();
    struct buffer wal = {0}, said = {0};
    wal_write(&wal, FIELDS({"x#!~_v", VALUE_INTEGER, "1=1"}));
    wal_write(&wal, FIELDS({"x#!~#", VALUE_INTEGER, "1=1"}));
    wal_write(&wal, FIELDS({"m#!~#v", VALUE_INTEGER, "2=2"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    autofree char *rest = read_damaged(m, &said);
    assert_string_equal(rest, "2 v=2\n");
    assert_non_null(strstr(said.p, "left out: key x#!~_v\n"));
    assert_null(strstr(said.p, "x#!~#"));
    buffer_free(&said);
    capture_unref(&m->c);
}

static bool at_once(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_interrupted(void **state)
{
    (void)state;
    const struct tarball_reader reader = {at_once, NULL};
    struct memory *m = store_of_two();
    struct schema_cache *c = open_contents(m);
    struct points_query q = query_of(POINTS_ANSWER, 0, 10000);
    struct buffer b = {0};
    struct err e = {0};
    memory_add(m, ONE, FILE1, TSM({"m#!~#v", VALUE_INTEGER, "1=10"}));
    schema_cache_unref(c);
    c = open_contents(m);
    q.reader = &reader;
    assert_int_equal(read_all(c, &q, &b, &e), -EINTR);
    buffer_free(&b);
    schema_cache_unref(c);
    capture_unref(&m->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_value_counts),
        cmocka_unit_test(test_all_deleted),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_of_equals),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_overlapping_shards),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_which_types_fit),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_damaged_block),
        cmocka_unit_test(test_damaged_key),
        cmocka_unit_test(test_damaged_key_of_no_measurement),
        cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
