/* SPDX-License-Identifier: MIT */
/* settled: shards made by chance hold the same points afterwards. */
#include "store/influx/tsmencode.h"
#include "store/influx/tsmwriter.h"
#include "tests/unit/settling.h"

static int any_begin(void *ctx, unsigned i, struct err *e)
{
    (void)ctx;
    (void)e;
    assert_int_equal(i, 0);
    return 0;
}

static int any_write(void *ctx, const void *buf, size_t n, struct err *e)
{
    (void)e;
    buffer_add(ctx, buf, n);
    return 0;
}

static int any_end(void *ctx, uint64_t size, struct err *e)
{
    (void)ctx;
    (void)size;
    (void)e;
    return 0;
}

static const char *const any_keys[] = {"m#!~#f", "m#!~#i", "m,a=1#!~#f", "m,a=1#!~#i",
                                       "m,b=2#!~#i"};
#define ANY_KEYS 5

static enum value_type any_type(size_t key)
{
    return strchr(any_keys[key], 'f') ? VALUE_FLOAT : VALUE_INTEGER;
}

/* Blocks of up to four points of a key, at times below 100. */
static void any_blocks(struct tsmwriter *w, size_t key, uint32_t *chance)
{
    int64_t times[4], time = 0;
    union value values[4];
    struct tsmblock b = {.type = any_type(key), .times = times, .values = values};
    for (;;) {
        struct buffer block = {0};
        size_t n = 1 + any_below(chance, 4);
        for (b.n = 0; b.n < n; b.n++) {
            times[b.n] = time += 1 + any_below(chance, 6);
            if (b.type == VALUE_FLOAT)
                values[b.n].f = any_below(chance, 1000);
            else
                values[b.n].i = any_below(chance, 1000);
        }
        if (time < 100) {
            assert_int_equal(tsmencode_block(&b, &block, &err), 0);
            assert_int_equal(tsmwriter_block(w, block.p, block.n, times[0], times[n - 1], &err), 0);
        }
        buffer_free(&block);
        if (time >= 100)
            return;
    }
}

static struct buffer any_file(uint32_t *chance)
{
    struct buffer file = {0};
    const struct tsmwriter_output to = {any_begin, any_write, any_end, &file, UINT64_MAX};
    cleanup(tsmwriter_freep) struct tsmwriter *w = NULL;
    assert_int_equal(tsmwriter_new(&to, temp(), &w, &err), 0);
    for (size_t k = 0; k < ANY_KEYS; k++)
        if (k == 1 || any_below(chance, 3)) {
            const struct slice key = {any_keys[k], strlen(any_keys[k])};
            assert_int_equal(tsmwriter_key(w, key, any_type(k), &err), 0);
            any_blocks(w, k, chance);
        }
    assert_int_equal(tsmwriter_finish(w, &err), 0);
    return file;
}

static struct time_range any_range(uint32_t *chance)
{
    int64_t min = any_below(chance, 110) - 5, max = min + any_below(chance, 60);
    return any_below(chance, 8) ? (struct time_range){min, max} : SETTLED_ALL;
}

static struct buffer any_tombstone(uint32_t *chance)
{
    struct time_range r = any_range(chance);
    struct buffer b = tombstone_of(any_keys[any_below(chance, ANY_KEYS)], r.min, r.max);
    while (any_below(chance, 3)) {
        r = any_range(chance);
        add_delete(&b, any_keys[any_below(chance, ANY_KEYS)], r.min, r.max);
    }
    return b;
}

static struct buffer any_wal(uint32_t *chance)
{
    struct buffer wal = {0};
    for (size_t n = any_below(chance, 12); n > 0; n--) {
        size_t k = any_below(chance, ANY_KEYS);
        struct time_range r = any_range(chance);
        char point[64];
        sprintf(point, "%u=%zu %u=%zu", any_below(chance, 100), n, any_below(chance, 100), n + 50);
        if (any_below(chance, 4))
            wal_write(&wal, &(struct field_text){any_keys[k], any_type(k), point});
        else
            wal_delete(&wal, any_keys[k], r.min, r.max);
    }
    buffer_add(&wal, "", 0);
    return wal;
}

/* Shards of several overlapping files with many blocks, most of them with a tombstone, and a WAL:
 * whole, and any range of them. */
static void test_any_shards(void **state)
{
    (void)state;
    static const char *const names[] = {FILE1, FILE2, FILE3};
    static const char *const tombstones[] = {TOMBSTONE1, "000000002-000000001.tombstone",
                                             "000000003-000000001.tombstone"};
    uint32_t chance = 1;
    for (int round = 0; round < 400; round++) {
        struct memory *m = store_of_one();
        struct settling x;
        for (size_t i = 0, n = any_below(&chance, 4); i < n; i++) {
            memory_add(m, ONE, names[i], any_file(&chance));
            if (any_below(&chance, 4))
                memory_add(m, ONE, tombstones[i], any_tombstone(&chance));
        }
        memory_add(m, WAL1, "_00001.wal", any_wal(&chance));
        struct time_range range = round % 2 ? any_range(&chance) : SETTLED_ALL;
        settling_open(m, range, NULL, &x);
        settling_compare(&x, range);
        settling_close(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
