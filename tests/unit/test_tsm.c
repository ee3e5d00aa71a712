/* SPDX-License-Identifier: MIT */
/* TSM files made by hand and by real servers through store/influx/tsmfile.h. */
#include "store/influx/tsmfile.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "tests/unit/fixture_files.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <zlib.h>

#include <cmocka.h>

static void put(struct buffer *b, uint64_t v, size_t n)
{
    while (n-- > 0) {
        unsigned char c = (unsigned char)(v >> (8 * n));
        buffer_add(b, &c, 1);
    }
}

/* One block in the index, as it is to be claimed. */
struct claim {
    int64_t first, last;
    uint64_t at;
    uint32_t size;
};

struct making {
    struct buffer out, index;
};

static void begin(struct making *m)
{
    *m = (struct making){0};
    buffer_add(&m->out, "\x16\xd1\x16\xd1\x01", 5);
}

static struct claim block(struct making *m, uint8_t type, size_t n)
{
    int64_t first = (int64_t)m->out.n;
    struct claim c = {first, first + 1, m->out.n, (uint32_t)(4 + 1 + n)};
    char *data = malloc(n + 1);
    assert_non_null(data);
    for (size_t i = 0; i <= n; i++)
        data[i] = (char)(i * 31 + m->out.n);
    data[0] = (char)type;
    put(&m->out, crc32(0, (const Bytef *)data, (uInt)(n + 1)), 4);
    buffer_add(&m->out, data, n + 1);
    free(data);
    return c;
}

static void entry(struct making *m, const char *key, size_t nkey, uint8_t type,
                  const struct claim *claims, size_t n)
{
    put(&m->index, nkey, 2);
    buffer_add(&m->index, key, nkey);
    put(&m->index, type, 1);
    put(&m->index, n, 2);
    for (size_t i = 0; i < n; i++) {
        put(&m->index, (uint64_t)claims[i].first, 8);
        put(&m->index, (uint64_t)claims[i].last, 8);
        put(&m->index, claims[i].at, 8);
        put(&m->index, claims[i].size, 4);
    }
}

static struct buffer end(struct making *m)
{
    uint64_t at = m->out.n;
    buffer_add(&m->out, m->index.p, m->index.n);
    put(&m->out, at, 8);
    buffer_free(&m->index);
    return m->out;
}

/* Checks it at an offset of a file that goes on behind it. */
static int check_at(const struct buffer *b, uint64_t off, struct err *e)
{
    static const char around[64] = "what does not belong to it";
    autoclose int fd = memfd_create("tsm", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(io_pwrite_all(fd, b->p, b->n, off), 0);
    assert_int_equal(io_pwrite_all(fd, around, sizeof(around), off + b->n), 0);
    return tsm_check(fd, off, b->n, "a file", e);
}

static void check_good(struct buffer b)
{
    struct err e = {0};
    assert_int_equal(check_at(&b, 0, &e), 0);
    assert_string_equal(e.text, "");
    assert_int_equal(check_at(&b, 1536, &e), 0);
    buffer_free(&b);
}

static void check_bad(struct buffer b, const char *words)
{
    struct err e = {0};
    assert_int_equal(check_at(&b, 512, &e), -EBADMSG);
    if (!strstr(e.text, words))
        fail_msg("%s: expected %s", e.text, words);
    buffer_free(&b);
}

static struct buffer small(void)
{
    struct making m;
    begin(&m);
    struct claim a[] = {block(&m, 0, 100), block(&m, 0, 1)}, b[] = {block(&m, 3, 1000)};
    entry(&m, "cpu,host=a#!~#v", 15, 0, a, 2);
    entry(&m, "cpu,host=b#!~#v", 15, 3, b, 1);
    return end(&m);
}

static void test_good(void **state)
{
    (void)state;
    struct making m;
    check_good(small());
    begin(&m);
    struct claim big[] = {block(&m, 4, 1 << 20), block(&m, 4, 262140), block(&m, 4, 262139)};
    char *key = malloc(UINT16_MAX);
    memset(key, 'k', UINT16_MAX);
    entry(&m, key, UINT16_MAX, 4, big, 3);
    free(key);
    check_good(end(&m));
    begin(&m);
    for (int i = 0; i < 20000; i++) { /* an index of several windows */
        char name[16];
        struct claim c = block(&m, 1, (size_t)i % 50);
        snprintf(name, sizeof(name), "key %06d", i);
        entry(&m, name, strlen(name), 1, &c, 1);
    }
    check_good(end(&m));
}

/* What is in blocks, and what leads to them. */
static void test_every_byte(void **state)
{
    (void)state;
    struct buffer b = small();
    uint64_t index = 0;
    for (size_t i = b.n - 8; i < b.n; i++)
        index = index << 8 | (unsigned char)b.p[i];
    for (size_t i = 0; i < b.n; i++) {
        struct err e = {0};
        if (i >= index && i < b.n - 8)
            continue;
        for (int bit = 0; bit < 8; bit++) {
            b.p[i] ^= (char)(1 << bit);
            if (check_at(&b, 0, &e) != -EBADMSG)
                fail_msg("bit %d of byte %zu changed, and nothing was said", bit, i);
            b.p[i] ^= (char)(1 << bit);
        }
    }
    buffer_free(&b);
}

static void test_names_the_block(void **state)
{
    (void)state;
    struct buffer b = small();
    b.p[5 + 4 + 50] ^= 1;
    check_bad(b, "a file: damaged at byte 5: the block does not match its CRC");
}

static void test_cut_off(void **state)
{
    (void)state;
    struct buffer whole = small();
    for (size_t n = 0; n < whole.n; n++) {
        const struct buffer part = {.p = whole.p, .n = n};
        assert_int_equal(check_at(&part, 0, NULL), -EBADMSG);
    }
    buffer_free(&whole);
}

static void test_ends_early(void **state)
{
    (void)state;
    struct buffer b = small();
    autoclose int fd = memfd_create("tsm", MFD_CLOEXEC);
    assert_int_equal(io_pwrite_all(fd, b.p, b.n - 1, 0), 0);
    assert_int_equal(tsm_check(fd, 0, b.n, "a file", NULL), -ENODATA);
    buffer_free(&b);
}

static struct buffer with_claim(struct claim c, uint8_t type, size_t count)
{
    struct making m;
    begin(&m);
    struct claim real = block(&m, 1, 100);
    if (c.at == 0)
        c.at = real.at;
    if (c.size == 0)
        c.size = real.size;
    const struct claim all[] = {c, c, c};
    entry(&m, "key", 3, type, all, count);
    return end(&m);
}

static void test_hostile_index(void **state)
{
    (void)state;
    static const char *const place = "not where the one before it ends";
    check_good(with_claim((struct claim){0}, 1, 1));
    check_bad(with_claim((struct claim){.first = 2, .last = 1}, 1, 1), "go back");
    check_bad(with_claim((struct claim){.at = 4}, 1, 1), place);
    check_bad(with_claim((struct claim){.at = UINT64_MAX}, 1, 1), place);
    check_bad(with_claim((struct claim){.at = UINT64_MAX - 50}, 1, 1), place);
    check_bad(with_claim((struct claim){.size = UINT32_MAX}, 1, 1), place);
    check_bad(with_claim((struct claim){.size = 106}, 1, 1), place);
    check_bad(with_claim((struct claim){.size = 4}, 1, 1), place);
    check_bad(with_claim((struct claim){.size = 104}, 1, 1), "does not end where the index begins");
    check_bad(with_claim((struct claim){0}, 1, 3), place);
    check_bad(with_claim((struct claim){0}, 2, 1), "another type");
    check_bad(with_claim((struct claim){0}, 5, 1), "without name, type");
    check_bad(with_claim((struct claim){0}, 1, 0), "without name, type or blocks");
}

static struct buffer with_keys(const char *one, const char *two)
{
    struct making m;
    begin(&m);
    struct claim a = block(&m, 1, 10), b = block(&m, 1, 10);
    entry(&m, one, strlen(one), 1, &a, 1);
    entry(&m, two, strlen(two), 1, &b, 1);
    return end(&m);
}

static void test_keys(void **state)
{
    (void)state;
    check_good(with_keys("a", "ab"));
    check_good(with_keys("a", "\xff"));
    check_bad(with_keys("b", "a"), "do not ascend");
    check_bad(with_keys("ab", "a"), "do not ascend");
    check_bad(with_keys("a", "a"), "do not ascend");
    check_bad(with_keys("", "a"), "without name");
}

static void check_file(const char *name, char *bytes, size_t n)
{
    const struct buffer b = {.p = bytes, .n = n};
    struct err e = {0};
    if (check_at(&b, 0, &e) != 0)
        fail_msg("%s: %s", name, e.text);
    bytes[n / 3] ^= 4;
    assert_int_equal(check_at(&b, 0, NULL), -EBADMSG);
}

static void test_real(void **state)
{
    (void)state;
    assert_true(fixture_files(".tsm", check_file) >= FIXTURES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_names_the_block),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_ends_early),
        cmocka_unit_test(test_hostile_index),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
