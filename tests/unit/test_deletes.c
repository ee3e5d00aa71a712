/* SPDX-License-Identifier: MIT */
/* deletes: what the tombstones of a file delete, by key, against a plain array of times. */
#include "store/points/deletes.h"
#include "tests/unit/tsm_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TIMES 100
#define KEYS 4

static const char *const keys[KEYS] = {"cpu#!~#v", "cpu,host=a#!~#v", "cpu2#!~#v", "m#!~#v"};
static uint32_t state = 7;

static const struct key_deletes *of(struct deletes *d, const char *key)
{
    return deletes_of(d, (struct slice){key, strlen(key)});
}

static bool covers(const bool *gone, int64_t min, int64_t max)
{
    for (int64_t t = min; t <= max; t++)
        if (!gone[t])
            return false;
    return true;
}

static bool meets(const bool *gone, int64_t min, int64_t max)
{
    for (int64_t t = min; t <= max; t++)
        if (gone[t])
            return true;
    return false;
}

static void check_key(const struct key_deletes *k, const bool *gone)
{
    for (size_t i = 1; k && i < k->n; i++)
        assert_true(k->list[i - 1].max + 1 < k->list[i].min);
    for (int64_t t = 0; t < TIMES; t++)
        assert_int_equal(k && key_deletes_time(k->list, k->n, t), gone[t]);
    for (int i = 0; i < 50; i++) {
        int64_t min = any_below(&state, TIMES),
                max = min + any_below(&state, (uint32_t)(TIMES - min));
        assert_int_equal(key_deletes_all(k, min, max), covers(gone, min, max));
        assert_int_equal(key_deletes_some(k, min, max), meets(gone, min, max));
    }
}

static void test_rounds(void **unused)
{
    (void)unused;
    for (int round = 0; round < 500; round++) {
        bool gone[KEYS][TIMES] = {{false}};
        struct buffer b = {0};
        struct deletes *d;
        add_be(&b, 0x1502, 4);
        for (uint32_t n = 1 + any_below(&state, 12); n > 0; n--) {
            uint32_t k = any_below(&state, KEYS);
            int64_t min = any_below(&state, TIMES), max = min + any_below(&state, 15);
            add_delete(&b, keys[k], min, max);
            for (int64_t t = min; t <= max && t < TIMES; t++)
                gone[k][t] = true;
        }
        struct source s = source_of(&b);
        assert_int_equal(deletes_read(&s, (struct slice){NULL, 0}, &d, NULL), 0);
        for (size_t k = 0; k < KEYS; k++)
            check_key(of(d, keys[k]), gone[k]);
        deletes_free(d);
        buffer_free(&b);
    }
}

/* With memory for a key at a time: forwards, each key takes one reading of the file; backwards, too. */
static void test_by_parts(void **unused)
{
    (void)unused;
    struct buffer b = {0};
    struct deletes *d;
    add_be(&b, 0x1502, 4);
    for (int64_t n = 0; n < 3; n++)
        for (size_t k = KEYS; k > 0; k--)
            add_delete(&b, keys[k - 1], 10 * n, 10 * n + (int64_t)k);
    struct source s = source_of(&b);
    assert_int_equal(deletes_open(&s, (struct slice){NULL, 0}, 1, &d, NULL), 0);
    for (size_t i = 0; i < 2 * KEYS; i++) {
        const size_t k = i < KEYS ? i : 2 * KEYS - 1 - i;
        const struct slice name = {keys[k], strlen(keys[k])};
        assert_int_equal(deletes_reach(d, name, NULL), 0);
        assert_int_equal(of(d, keys[k])->n, 3);
        assert_int_equal(of(d, keys[k])->list[2].max, 20 + (int64_t)k + 1);
        for (size_t other = 0; other < KEYS; other++)
            assert_true(other == k || !of(d, keys[other]));
    }
    deletes_free(d);
    buffer_free(&b);
}

static unsigned readings;

static int counted_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    readings += off == 0;
    return read_buffer(ctx, buf, n, off, e);
}

/* Hardly any memory means some readings, not one for each key. */
static void test_many_keys(void **unused)
{
    (void)unused;
    enum { MANY = 5000 };
    char key[32];
    struct buffer b = {0};
    struct deletes *d;
    add_be(&b, 0x1502, 4);
    for (unsigned i = 0; i < MANY; i++) {
        sprintf(key, "cpu,t=%04u#!~#v", i * 7919 % MANY);
        add_delete(&b, key, 1, 2);
    }
    struct source s = source_of(&b);
    s.read = counted_read;
    readings = 0;
    assert_int_equal(deletes_open(&s, (struct slice){NULL, 0}, 1, &d, NULL), 0);
    for (unsigned i = 0; i < MANY; i++) {
        const struct slice name = {key, (size_t)sprintf(key, "cpu,t=%04u#!~#v", i)};
        assert_int_equal(deletes_reach(d, name, NULL), 0);
        assert_int_equal(of(d, key)->n, 1);
    }
    assert_in_range(readings, 5, 20);
    deletes_free(d);
    buffer_free(&b);
}

static void test_of_a_measurement(void **unused)
{
    (void)unused;
    struct buffer b = {0};
    struct deletes *d;
    add_be(&b, 0x1502, 4);
    for (size_t k = 0; k < KEYS; k++)
        add_delete(&b, keys[k], 1, 2);
    struct source s = source_of(&b);
    assert_int_equal(deletes_read(&s, (struct slice){"cpu", 3}, &d, NULL), 0);
    assert_non_null(of(d, keys[0]));
    assert_non_null(of(d, keys[1]));
    assert_null(of(d, keys[2]));
    assert_null(of(d, keys[3]));
    deletes_free(d);
    buffer_free(&b);
}

/* Ranges that end at the last time there is, or are empty. */
static void test_extremes(void **unused)
{
    (void)unused;
    struct buffer b = {0};
    struct deletes *d;
    add_be(&b, 0x1502, 4);
    add_delete(&b, keys[0], 5, INT64_MAX);
    add_delete(&b, keys[0], 7, 9);
    add_delete(&b, keys[0], INT64_MIN, 3);
    add_delete(&b, keys[1], 3, 2);
    struct source s = source_of(&b);
    assert_int_equal(deletes_read(&s, (struct slice){NULL, 0}, &d, NULL), 0);
    const struct key_deletes *k = of(d, keys[0]);
    assert_int_equal(k->n, 2);
    assert_false(key_deletes_time(k->list, k->n, 4));
    assert_true(key_deletes_time(k->list, k->n, INT64_MAX));
    assert_true(key_deletes_time(k->list, k->n, INT64_MIN));
    assert_null(of(d, keys[1]));
    deletes_free(d);
    assert_int_equal(deletes_read(NULL, (struct slice){NULL, 0}, &d, NULL), 0);
    assert_null(of(d, keys[0]));
    assert_false(key_deletes_some(NULL, INT64_MIN, INT64_MAX));
    deletes_free(d);
    buffer_free(&b);
}

static void test_damage(void **unused)
{
    (void)unused;
    struct err e = {0};
    struct buffer b = {0};
    struct deletes *d;
    add_be(&b, 0x1502, 4);
    add_delete(&b, keys[0], 1, 2);
    b.n -= 3;
    struct source s = source_of(&b);
    assert_int_equal(deletes_read(&s, (struct slice){NULL, 0}, &d, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "a file"));
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),    cmocka_unit_test(test_by_parts),
        cmocka_unit_test(test_many_keys), cmocka_unit_test(test_of_a_measurement),
        cmocka_unit_test(test_extremes),  cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
