/* SPDX-License-Identifier: MIT */
/* What a set that is made consists of: tars of shards and gzip files that compress nothing, at any
 * offset; and the names and ids that the real restore takes. */
#include "store/base/buffer.h"
#include "store/sets/madeset.h"
#include "store/sets/madeset_names.h"
#include "store/sets/shardtar.h"
#include "store/sets/storedgzip.h"
#include "store/snapshot/tarhead.h"
#include "tests/unit/memory_capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#define NAME "20160611T120000Z.s1.tar"

/* Bytes of which no two neighbours are alike. */
static char byte_at(uint64_t off)
{
    return (char)(off * 2654435761u >> 13);
}

static unsigned crcs_asked;

static int read_bytes(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const uint64_t *size = ctx;
    (void)e;
    assert_true(n > 0 && off + n <= *size);
    for (size_t i = 0; i < n; i++)
        ((char *)buf)[i] = byte_at(off + i);
    return 0;
}

static int crc_of(void *ctx, uint32_t *out, struct err *e)
{
    const uint64_t *size = ctx;
    (void)e;
    crcs_asked++;
    *out = 0;
    for (uint64_t i = 0; i < *size; i++) {
        const char c = byte_at(i);
        *out = (uint32_t)crc32(*out, (const Bytef *)&c, 1);
    }
    return 0;
}

static struct storedgzip gzip_of(uint64_t *size)
{
    return (struct storedgzip){
        .name = NAME, .size = *size, .read = read_bytes, .crc = crc_of, .ctx = size};
}

static char *whole(uint64_t *size, uint64_t *n)
{
    const struct storedgzip g = gzip_of(size);
    *n = storedgzip_size(strlen(NAME), *size);
    char *p = malloc(*n);
    assert_non_null(p);
    assert_int_equal(storedgzip_read(&g, p, *n, 0, NULL), 0);
    return p;
}

/* zlib finds the same bytes, the name, and nothing after them; it checks CRC and length. */
static void check_unpacked(char *p, uint64_t n, uint64_t size)
{
    Bytef name[100], *out = malloc(size + 1);
    gz_header head = {.name = name, .name_max = sizeof(name)};
    z_stream z = {.next_in = (Bytef *)p, .avail_in = (uInt)n, .next_out = out};
    z.avail_out = (uInt)size + 1;
    assert_non_null(out);
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    assert_int_equal(inflateGetHeader(&z, &head), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, size);
    assert_string_equal((char *)name, NAME);
    for (uint64_t i = 0; i < size; i++)
        assert_true((char)out[i] == byte_at(i));
    inflateEnd(&z);
    free(out);
}

static void test_whole(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 1024, 65534, 65535, 65536, 131070, 131071, 200000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t size = sizes[i], n;
        char *p = whole(&size, &n);
        check_unpacked(p, n, size);
        free(p);
    }
}

static void test_any_range(void **state)
{
    (void)state;
    uint64_t size = 140000, n;
    const struct storedgzip g = gzip_of(&size);
    char *p = whole(&size, &n), piece[4000];
    srandom(1);
    for (int i = 0; i < 2000; i++) {
        uint64_t off = (uint64_t)random() % n;
        size_t len = (size_t)random() % sizeof(piece) + 1;
        if (len > n - off)
            len = n - off;
        assert_int_equal(storedgzip_read(&g, piece, len, off, NULL), 0);
        assert_memory_equal(piece, p + off, len);
    }
    free(p);
}

/* It may cost a reading of all the rest. */
static void test_crc_late(void **state)
{
    (void)state;
    uint64_t size = 70000, n = storedgzip_size(strlen(NAME), size);
    const struct storedgzip g = gzip_of(&size);
    char *p = malloc(n);
    crcs_asked = 0;
    assert_int_equal(storedgzip_read(&g, p, n - 8, 0, NULL), 0);
    assert_int_equal(crcs_asked, 0);
    assert_int_equal(storedgzip_read(&g, p, 1, n - 1, NULL), 0);
    assert_int_equal(crcs_asked, 1);
    free(p);
}

static int fails(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    (void)ctx, (void)buf, (void)n;
    return off < 65535 ? 0 : err_set(e, -EIO, "no more");
}

static void test_failure(void **state)
{
    (void)state;
    static char buf[70000];
    struct err e = {0};
    const struct storedgzip g = {.name = NAME, .size = sizeof(buf), .read = fails};
    assert_int_equal(storedgzip_read(&g, buf, sizeof(buf), 0, &e), -EIO);
    assert_string_equal(e.text, "no more");
    assert_int_equal(storedgzip_read(&g, buf, 1000, 100, &e), 0);
}

static struct buffer bytes_of(size_t n)
{
    struct buffer b = {0};
    for (size_t i = 0; i < n; i++)
        buffer_add(&b, &(char){(char)(byte_at(i) | 1)}, 1);
    return b;
}

/* The tar of a shard with two files of `size` bytes, read in pieces of `step`: both are whole. */
static void check_tar(size_t size, size_t step)
{
    struct memory *memory = memory_new();
    const struct shard_times times = {1, 0, 1000};
    struct madeshards *shards;
    struct shardtar *t;
    memory_meta(memory, &times, 1);
    memory_add(memory, "data/db/rp/1", "000000001-000000001.tsm", bytes_of(size));
    memory_add(memory, "data/db/rp/1", "000000002-000000001.tsm", bytes_of(size));
    assert_int_equal(madeshards_new(&memory->c, NULL, NULL, &shards, NULL), 0);
    const struct shardtar_of of = {shards, 0, 1};
    assert_int_equal(shardtar_open(&of, NULL, &t, NULL), 0);
    const size_t n = shardtar_size(t), each = TAR_BLOCK + tar_round_up(size);
    assert_int_equal(n, 2 * each + TAR_END);
    char *p = calloc(n, 1);
    assert_non_null(p);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(shardtar_read(t, p + at, n - at < step ? n - at : step, at, NULL), 0);
    for (size_t at = 0; at < 2 * each; at++) {
        const size_t in = at % each;
        if (in >= TAR_BLOCK && in < TAR_BLOCK + size)
            assert_true(p[at] == (char)(byte_at(in - TAR_BLOCK) | 1));
        else if (in >= TAR_BLOCK)
            assert_true(p[at] == 0);
    }
    free(p);
    shardtar_close(t);
    madeshards_unref(shards);
    capture_unref(&memory->c);
}

static void test_tar_of_shard(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 511, 512, 513, 1024, 1535, 5120};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_tar(sizes[i], 1 << 20);
        check_tar(sizes[i], 100);
    }
}

static void test_ids(void **state)
{
    (void)state;
    assert_int_equal(madeset_legacy_id(1, 200), 1);
    assert_int_equal(madeset_legacy_id(101, 200), 101);
    assert_int_equal(madeset_legacy_id(10, 200), 100011);
    assert_int_equal(madeset_legacy_id(100, 101), 100101);
    assert_int_equal(madeset_legacy_id(10, 99999), 100011);
    assert_int_equal(madeset_legacy_id(10, 100000), 1000011);
    assert_int_equal(madeset_legacy_id(100010, 100011), 1100011);
    assert_int_equal(madeset_legacy_id(10, UINT64_MAX), 0);
    /* None ends in 0, none clashes with one of the store or with another. */
    for (uint64_t id = 10; id <= 5000; id += 10) {
        uint64_t new = madeset_legacy_id(id, 5000);
        assert_true(new % 10 != 0 && new > 5000 && new == madeset_legacy_id(id - 10, 5000) + 10);
    }
}

static void test_refused(void **state)
{
    (void)state;
    char longest[256];
    static const char *const taken[] = {"db",  "_t",       "x y",   "\xc3\xbc",
                                        "-rf", "left_out", "metal", "*"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        assert_null(madeset_refuses_database(taken[i]));
    assert_non_null(madeset_refuses_database("a.b"));
    assert_non_null(madeset_refuses_database("."));
    assert_non_null(madeset_refuses_database("meta"));
    assert_null(madeset_refuses_policy("db", "autogen", 1));
    assert_null(madeset_refuses_policy("db", "meta", 1));
    assert_non_null(madeset_refuses_policy("db", "1.h", 1));
    /* DB.RP.00001.00 has at most 255 bytes. */
    memset(longest, 'x', sizeof(longest));
    longest[255 - strlen("db..00001.00")] = 0;
    assert_null(madeset_refuses_policy("db", longest, 1));
    assert_non_null(madeset_refuses_policy("db", longest, 100011));
}

static void test_base(void **state)
{
    (void)state;
    char base[MADESET_BASE];
    madeset_base(INT64_C(1465646400999999999), base);
    assert_string_equal(base, "20160611T120000Z");
    madeset_base(0, base);
    assert_string_equal(base, "19700101T000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),    cmocka_unit_test(test_any_range),
        cmocka_unit_test(test_crc_late), cmocka_unit_test(test_failure),
        cmocka_unit_test(test_ids),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_base),     cmocka_unit_test(test_tar_of_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
