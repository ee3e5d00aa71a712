/* SPDX-License-Identifier: MIT */
/* settled: shards without WAL and tombstones hold the same points as with them; which files are made,
 * by what names; ranges of times; and damage. */
#include "tests/unit/settling.h"

/* Settles shard 1: the files are these, and hold the same points. Drops m. */
static void check_range(struct memory *m, struct time_range range, const char *wanted)
{
    struct settling x;
    settling_open(m, range, NULL, &x);
    assert_string_equal(x.names, wanted);
    settling_compare(&x, range);
    settling_close(&x);
}

static void check(struct memory *m, const char *wanted)
{
    check_range(m, SETTLED_ALL, wanted);
}

static struct memory *with_everything(void)
{
    struct memory *m = store_of_one();
    struct buffer wal = {0};
    memory_add(m, ONE, FILE1,
               TSM({"m#!~#b", VALUE_BOOLEAN, "1=true 2=false 9=true"},
                   {"m#!~#f", VALUE_FLOAT, "1=0.5 2=-1 3=1e300"},
                   {"m#!~#gone", VALUE_INTEGER, "1=1 2=2"},
                   {"m#!~#i", VALUE_INTEGER, "1=10 2=20 3=30 4=40 5=50"},
                   {"m#!~#s", VALUE_STRING, "1=one 2=two 3=three"},
                   {"m#!~#u", VALUE_UNSIGNED, "1=18446744073709551615 2=7"}));
    struct buffer tombstone = tombstone_of("m#!~#i", 2, 3);
    add_delete(&tombstone, "m#!~#gone", INT64_MIN, INT64_MAX);
    add_delete(&tombstone, "m#!~#s", 2, 2);
    add_delete(&tombstone, "m#!~#u", 1, 1);
    add_delete(&tombstone, "m#!~#f", 0, 1);
    add_delete(&tombstone, "m#!~#b", 2, 8);
    memory_add(m, ONE, TOMBSTONE1, tombstone);
    memory_add(m, ONE, FILE2, TSM({"m#!~#i", VALUE_INTEGER, "3=31 4=41"}));
    wal_write(&wal, FIELDS({"m#!~#i", VALUE_INTEGER, "7=72 4=42 5=52 6=62 7=73"}));
    wal_write(&wal, FIELDS({"m,a=1#!~#i", VALUE_INTEGER, "7=72"}));
    wal_write(&wal, FIELDS({"m!#!~#i", VALUE_INTEGER, "7=72"}));
    wal_delete(&wal, "m#!~#i", 4, 5);
    wal_write(&wal, FIELDS({"m#!~#s", VALUE_STRING, "1=ONE 8=eight"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    return m;
}

static void test_everything(void **state)
{
    (void)state;
    check(with_everything(), "+" FILE1 " " FILE2 " +" FILE3 " ");
}

/* Every range of times, cut to the point. */
static void test_ranges(void **state)
{
    (void)state;
    for (int64_t min = -1; min < 10; min++)
        for (int64_t max = min; max < 11; max++) {
            struct time_range range = {min, max};
            struct settling x;
            settling_open(with_everything(), range, NULL, &x);
            settling_compare(&x, range);
            /* Passed through where it lies within. */
            bool second = min <= 3 && max >= 4;
            assert_int_equal(strstr(x.names, " " FILE2 " ") || strncmp(x.names, FILE2, 23) == 0,
                             second);
            settling_close(&x);
        }
}

static void test_plain(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    memory_add(m, ONE, FILE1, TSM({"m#!~#i", VALUE_INTEGER, "1=1"}));
    memory_add(m, ONE, FILE2, TSM({"m#!~#i", VALUE_INTEGER, "2=1"}));
    memory_add(m, WAL1, "_00001.wal", (struct buffer){.p = strdup("")});
    cleanup(shards_freep) struct shards *list = NULL;
    assert_int_equal(shards_open(&m->c, &list, &err), 0);
    struct settled_query q = {.capture = &m->c, .shard = shards_at(list, 0), .range = SETTLED_ALL};
    assert_true(settled_is_plain(&q));
    q.range.min = 0;
    assert_false(settled_is_plain(&q));
    shards_free(steal_ptr(&list));
    check(m, FILE1 " " FILE2 " ");
    m = with_everything();
    assert_int_equal(shards_open(&m->c, &list, &err), 0);
    q = (struct settled_query){.capture = &m->c, .shard = shards_at(list, 0), .range = SETTLED_ALL};
    assert_false(settled_is_plain(&q));
    shards_free(steal_ptr(&list));
    capture_unref(&m->c);
}

/* A tombstone without a point of its file: nothing is made, and it is forgotten. */
static void test_idle_tombstone(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    memory_add(m, ONE, FILE1, TSM({"m#!~#i", VALUE_INTEGER, "1=1 5=5"}));
    struct buffer tombstone = tombstone_of("other#!~#i", INT64_MIN, INT64_MAX);
    add_delete(&tombstone, "m#!~#i", 6, 9);
    memory_add(m, ONE, TOMBSTONE1, tombstone);
    check(m, FILE1 " ");
}

/* A tombstone within a block that has no point there: the same bytes again. */
static void test_tombstone_between_points(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    cleanup(shards_freep) struct shards *list = NULL;
    cleanup(settled_freep) struct settled *s = NULL;
    struct buffer after = {0};
    memory_add(m, ONE, FILE1, TSM({"m#!~#i", VALUE_INTEGER, "1=1 5=5"}));
    memory_add(m, ONE, TOMBSTONE1, tombstone_of("m#!~#i", 2, 4));
    assert_int_equal(settle(m, SETTLED_ALL, NULL, &list, &s), 0);
    assert_int_equal(settled_count(s), 1);
    add_bytes(&after, s, 0);
    assert_int_equal(after.n, m->bytes[1].n);
    assert_memory_equal(after.p, m->bytes[1].p, after.n);
    buffer_free(&after);
    settled_free(steal_ptr(&s));
    shards_free(steal_ptr(&list));
    capture_unref(&m->c);
}

static void test_all_deleted(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    struct buffer wal = {0};
    memory_add(m, ONE, FILE1, TSM({"m#!~#i", VALUE_INTEGER, "1=1"}));
    memory_add(m, ONE, TOMBSTONE1, tombstone_of("m#!~#i", INT64_MIN, INT64_MAX));
    wal_write(&wal, FIELDS({"m#!~#i", VALUE_INTEGER, "1=2"}));
    wal_delete(&wal, "m#!~#i", 0, 10);
    memory_add(m, WAL1, "_00001.wal", wal);
    check(m, "");
}

/* Of many blocks those that nothing touches are copied to the byte. */
static void test_copied_blocks(void **state)
{
    (void)state;
    static const char *const keys[] = {"m#!~#a", "m#!~#b", "m,t=1#!~#a"};
    const int64_t second = 1000000000;
    struct memory *m = store_of_one();
    memory_add(m, ONE, FILE1, tsm_file(keys, 3, 8));
    struct buffer tombstone = tombstone_of("m#!~#b", 15 * second, 32 * second);
    add_delete(&tombstone, "m,t=1#!~#a", 0, 9 * second);
    memory_add(m, ONE, TOMBSTONE1, tombstone);
    check(m, "+" FILE1 " ");
    m = store_of_one();
    memory_add(m, ONE, FILE1, tsm_file(keys, 3, 8));
    check_range(m, (struct time_range){20 * second, 59 * second}, "+" FILE1 " ");
    m = store_of_one();
    memory_add(m, ONE, FILE1, tsm_file(keys, 3, 8));
    check_range(m, (struct time_range){25 * second, 33 * second}, "+" FILE1 " ");
}

static void check_names(const char *const *names, size_t n, const char *wanted)
{
    struct memory *m = store_of_one();
    struct buffer wal = {0};
    char all[1000] = "";
    for (size_t i = 0; i < n; i++) {
        memory_add(m, ONE, names[i], TSM({"m#!~#i", VALUE_INTEGER, "1=1 2=2"}));
        sprintf(all + strlen(all), "%s ", names[i]);
    }
    wal_write(&wal, FIELDS({"m#!~#i", VALUE_INTEGER, "1=3"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    sprintf(all + strlen(all), "+%s ", wanted);
    check(m, all);
}

/* After all others as influxd reads them, which is in the order of names as text. */
static void test_names(void **state)
{
    (void)state;
    check_names(NULL, 0, FILE1);
    check_names((const char *const[]){"000000009-000000007.tsm"}, 1, "000000010-000000001.tsm");
    check_names((const char *const[]){"000000001-000000002.tsm", "9-1.tsm"}, 2, "9-2.tsm");
    check_names((const char *const[]){"999999999-000000001.tsm"}, 1, "999999999-000000002.tsm");
    check_names((const char *const[]){"4000000000-000000001.tsm"}, 1, "4000000001-000000001.tsm");
}

static void test_no_name(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    struct buffer wal = {0};
    cleanup(shards_freep) struct shards *list = NULL;
    struct settled *s = NULL;
    memory_add(m, ONE, "999999999-999999999.tsm", TSM({"m#!~#i", VALUE_INTEGER, "1=1 2=2"}));
    wal_write(&wal, FIELDS({"m#!~#i", VALUE_INTEGER, "1=3"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    assert_int_equal(settle(m, SETTLED_ALL, NULL, &list, &s), -EOVERFLOW);
    assert_non_null(strstr(err.text, ONE "/999999999-999999999.tsm"));
    shards_free(steal_ptr(&list));
    capture_unref(&m->c);
}

/* Another type in the WAL than in a file: both are there, as after a flush. */
static void test_two_types(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    struct buffer wal = {0};
    cleanup(shards_freep) struct shards *list = NULL;
    cleanup(settled_freep) struct settled *s = NULL;
    memory_add(m, ONE, FILE1, TSM({"m#!~#i", VALUE_INTEGER, "1=1 2=2"}));
    wal_write(&wal, FIELDS({"m#!~#i", VALUE_FLOAT, "1=3"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    assert_int_equal(settle(m, SETTLED_ALL, NULL, &list, &s), 0);
    assert_int_equal(settled_count(s), 2);
    settled_free(steal_ptr(&s));
    shards_free(steal_ptr(&list));
    capture_unref(&m->c);
}

static void say(void *ctx, const char *words)
{
    struct buffer *out = ctx;
    buffer_text(out, "%s\n", words);
}

/* Refused with the file's name; with gaps, left out and told. */
static void check_damage(struct memory *m, const char *names, const char *words)
{
    struct buffer said = {0};
    const struct gaps gaps = {.damage = true, .say = say, .ctx = &said};
    cleanup(shards_freep) struct shards *list = NULL;
    cleanup(settled_freep) struct settled *s = NULL;
    struct settling x;
    assert_int_equal(settle(m, SETTLED_ALL, NULL, &list, &s), -EBADMSG);
    if (!strstr(err.text, words))
        fail_msg("%s", err.text);
    settling_open(m, SETTLED_ALL, &gaps, &x);
    assert_string_equal(x.names, names);
    buffer_add(&said, "", 1);
    if (!strstr(said.p, words) || !strstr(said.p, "left out"))
        fail_msg("%s", said.p);
    buffer_free(&said);
    shards_free(steal_ptr(&list)); /* before the capture */
    settling_close(&x);
}

static void test_damage(void **state)
{
    (void)state;
    struct memory *m = with_everything();
    m->bytes[1].p[20] ^= 1; /* in the first block, of m#!~#b, which is cut */
    check_damage(m, "+" FILE1 " " FILE2 " +" FILE3 " ", FILE1 ": damaged at byte 5");
    m = with_everything();
    m->bytes[1].p[m->bytes[1].n - 1] ^= 1; /* where the index is */
    check_damage(m, FILE2 " +" FILE3 " ", FILE1);
    m = with_everything();
    m->members[2].attr.size = --m->bytes[2].n; /* the tombstone */
    check_damage(m, FILE2 " +" FILE3 " ", TOMBSTONE1);
    m = store_of_one();
    struct buffer wal = {0};
    memory_add(m, ONE, FILE1, TSM({"m#!~#f", VALUE_FLOAT, "1=1"}));
    wal_write(&wal, FIELDS({"m#!~#f", VALUE_FLOAT, "1=3 2=nan 3=4"}));
    memory_add(m, WAL1, "_00001.wal", wal);
    check_damage(m, FILE1 " +" FILE2 " ", "NaN");
    m = store_of_one();
    wal = (struct buffer){0};
    wal_write(&wal, FIELDS({"m#!~#f", VALUE_FLOAT, "1=3"}));
    buffer_add(&wal, "\1\0\0\0\5nono", 9);
    memory_add(m, WAL1, "_00001.wal", wal);
    check_damage(m, "+" FILE1 " ", "_00001.wal");
}

/* Damage in a file that is passed through is not looked for. */
static void test_damage_passed_through(void **state)
{
    (void)state;
    struct memory *m = store_of_one();
    cleanup(shards_freep) struct shards *list = NULL;
    cleanup(settled_freep) struct settled *s = NULL;
    memory_add(m, ONE, FILE1, (struct buffer){.p = strdup("no TSM file"), .n = 11});
    assert_int_equal(settle(m, SETTLED_ALL, NULL, &list, &s), 0);
    assert_int_equal(settled_count(s), 1);
    settled_free(steal_ptr(&s));
    shards_free(steal_ptr(&list));
    assert_int_equal(settle(m, (struct time_range){0, 1}, NULL, &list, &s), -EBADMSG);
    shards_free(steal_ptr(&list));
    capture_unref(&m->c);
}

static void digest_of(struct memory *m, struct time_range range, uint8_t out[SHA256_BYTES])
{
    cleanup(shards_freep) struct shards *list = NULL;
    assert_int_equal(shards_open(&m->c, &list, &err), 0);
    const struct settled_query q = {.capture = &m->c, .shard = shards_at(list, 0), .range = range};
    assert_int_equal(settled_digest(&q, out, &err), 0);
}

/* The same while nothing changes; another with each file that does. */
static void test_digest(void **state)
{
    (void)state;
    struct memory *m = with_everything();
    uint8_t first[SHA256_BYTES], other[SHA256_BYTES];
    digest_of(m, SETTLED_ALL, first);
    digest_of(m, SETTLED_ALL, other);
    assert_memory_equal(first, other, SHA256_BYTES);
    digest_of(m, (struct time_range){0, INT64_MAX}, other);
    assert_memory_not_equal(first, other, SHA256_BYTES);
    for (size_t i = 1; i < m->c.n; i++) {
        m->members[i].index++;
        digest_of(m, SETTLED_ALL, other);
        assert_memory_not_equal(first, other, SHA256_BYTES);
        m->members[i].index--;
    }
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
    struct memory *m = with_everything();
    cleanup(shards_freep) struct shards *list = NULL;
    const struct tarball_reader reader = {at_once, NULL};
    struct settled *s = NULL;
    assert_int_equal(shards_open(&m->c, &list, &err), 0);
    const struct settled_query q = {
        &m->c, shards_at(list, 0), SETTLED_ALL, temp(), NULL, &reader,
    };
    assert_int_equal(settled_open(&q, &s, &err), -EINTR);
    shards_free(steal_ptr(&list));
    capture_unref(&m->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_idle_tombstone),
        cmocka_unit_test(test_tombstone_between_points),
        cmocka_unit_test(test_all_deleted),
        cmocka_unit_test(test_copied_blocks),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_two_types),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_damage_passed_through),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
