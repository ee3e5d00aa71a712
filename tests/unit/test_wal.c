/* SPDX-License-Identifier: MIT */
/* wal: how far a segment can be replayed, with torn, bad and hostile entries and holes. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/wal.h"

#include <errno.h>
#include <setjmp.h>
#include <snappy-c.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static uint8_t plain[32 << 20];
static size_t n_plain;

static void raw(const void *p, size_t n)
{
    memcpy(plain + n_plain, p, n);
    n_plain += n;
}

static void be(uint64_t v, int bytes)
{
    while (bytes--)
        plain[n_plain++] = (uint8_t)(v >> 8 * bytes);
}

/* The head of one key's values in a write. */
static void key(int type, const char *name, uint32_t count)
{
    be((uint64_t)type, 1);
    be(strlen(name), 2);
    raw(name, strlen(name));
    be(count, 4);
}

static void floats(const char *name, uint32_t count)
{
    key(1, name, count);
    for (uint32_t i = 0; i < count; i++) {
        be(i, 8);
        be(0x3ff0000000000000 + i * 77777777777u, 8);
    }
}

static void string(const char *s, uint32_t len)
{
    be(1, 8);
    be(len, 4);
    raw(s, strlen(s));
}

static void all_types(void)
{
    floats("m,t=1#!~#f", 3);
    key(2, "i", 1);
    be(1, 8);
    be(2, 8);
    key(3, "b", 2);
    raw("\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0\2\0", 18);
    key(4, "s", 2);
    string("", 0);
    string("hello", 5);
    key(5, "u", 1);
    be(1, 8);
    be(2, 8);
}

/* Appends the payload put together, as an entry, and begins a new one. Returns where it ends. */
static uint64_t entry(int fd, int type)
{
    struct stat st;
    size_t n = snappy_max_compressed_length(n_plain);
    autofree char *packed = malloc(n + 5);
    assert_int_equal(snappy_compress((char *)plain, n_plain, packed + 5, &n), SNAPPY_OK);
    packed[0] = (char)type;
    for (int i = 0; i < 4; i++)
        packed[1 + i] = (char)(n >> 8 * (3 - i));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(io_pwrite_all(fd, packed, n + 5, (uint64_t)st.st_size), 0);
    n_plain = 0;
    return (uint64_t)st.st_size + n + 5;
}

static int new_file(void)
{
    int fd = memfd_create("wal", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static enum wal_end how; /* the last scan ended */

static uint64_t scan(int fd, uint64_t from, uint64_t cut)
{
    uint64_t good = 12345;
    assert_int_equal(wal_scan(fd, from, cut, &good, &how), 0);
    assert_true((how == WAL_WHOLE) == (good == cut));
    return good;
}

static void test_entries(void **state)
{
    (void)state;
    autoclose int fd = new_file();
    uint64_t ends[5] = {0};
    all_types();
    ends[1] = entry(fd, 1);
    raw("a\nb", 3);
    ends[2] = entry(fd, 2);
    be(1, 8);
    be(2, 8);
    be(3, 4);
    raw("abc", 3);
    be(0, 4);
    ends[3] = entry(fd, 3);
    ends[4] = entry(fd, 1); /* no values at all: influxd takes that */
    assert_int_equal(scan(fd, 0, 0), 0);
    /* Whatever the cut, the run ends at the last whole entry below it, from wherever it begins. */
    for (size_t i = 0, e = 0; i <= ends[4]; i++) {
        while (e < 4 && ends[e + 1] <= i)
            e++;
        assert_int_equal(scan(fd, 0, i), ends[e]);
        assert_int_equal(how, i == ends[e] ? WAL_WHOLE : WAL_TORN);
        if (i >= ends[1])
            assert_int_equal(scan(fd, ends[1], i), ends[e]);
    }
}

static void ends_here(int type)
{
    autoclose int fd = new_file();
    autofree uint8_t *bad = malloc(n_plain + 1);
    size_t n = n_plain;
    memcpy(bad, plain, n);
    n_plain = 0;
    floats("k", 1);
    uint64_t good = entry(fd, 1);
    raw(bad, n);
    entry(fd, type);
    floats("k", 1);
    uint64_t end = entry(fd, 1);
    assert_int_equal(scan(fd, 0, end), good);
    assert_int_equal(scan(fd, good, end), good);
    assert_int_equal(how, WAL_BAD);
}

static void test_bad_payloads(void **state)
{
    (void)state;
    floats("k", 1);
    ends_here(0);
    floats("k", 1);
    ends_here(4);
    key(1, "k", 0); /* no values */
    ends_here(1);
    key(6, "k", 1); /* no such type */
    be(0, 8);
    be(0, 8);
    ends_here(1);
    key(1, "k", 2); /* fewer than announced */
    be(0, 8);
    be(0, 8);
    ends_here(1);
    key(1, "k", 0xffffffff);
    be(0, 8);
    be(0, 8);
    ends_here(1);
    key(3, "k", 1);
    be(0, 8);
    ends_here(1);
    key(4, "k", 1);
    string("short", 6);
    ends_here(1);
    key(4, "k", 1);
    string("short", 0xffffffff);
    ends_here(1);
    be(1, 1); /* a key that leaves the payload */
    be(5, 2);
    raw("abc", 3);
    ends_here(1);
    be(1, 1);
    ends_here(1);
    be(1, 8); /* half a range */
    ends_here(3);
    be(1, 8);
    be(1, 8);
    be(5, 4);
    raw("abc", 3);
    ends_here(3);
}

static void test_bad_snappy(void **state)
{
    (void)state;
    autoclose int fd = new_file();
    floats("k", 50);
    uint64_t good = entry(fd, 1);
    floats("k", 50);
    uint64_t end = entry(fd, 1);
    static const struct {
        const char *b;
        size_t n;
    } bad[] = {
        {"\1\0\0\0\0", 5},                      /* nothing at all */
        {"\1\0\0\0\5\xff\xff\xff\xff\x0f", 10}, /* claims 4 GiB */
        {"\1\0\0\0\5\xff\xff\xff\xff\xff", 10}, /* claims no number */
        {"\1\xff\xff\xff\xff\1\0", 7},          /* longer than the file */
        {"\1\0\0\0\3\4\1\1", 8},                /* copies from before the start */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(io_pwrite_all(fd, bad[i].b, bad[i].n, good), 0);
        assert_int_equal(scan(fd, 0, end), good);
        assert_int_equal(how, WAL_BAD);
    }
}

/* Whether what a cut leaves of an entry can be the beginning of one. */
static void test_torn_or_bad(void **state)
{
    (void)state;
    static const struct {
        const char *b;
        size_t n;
        enum wal_end how;
    } tail[] = {
        {"\1", 1, WAL_TORN},
        {"\4", 1, WAL_BAD},
        {"\0", 1, WAL_BAD}, /* a hole */
        {"\3\0\0\0", 4, WAL_TORN},
        {"\377\0\0\0", 4, WAL_BAD},
        {"\1\0\0\0\0", 5, WAL_BAD},
        {"\1\0\0\0\7", 5, WAL_TORN},
        {"\1\0\0\1\0\377\1", 7, WAL_TORN},           /* 255 bytes of 256 */
        {"\1\0\0\1\0\1", 6, WAL_BAD},                /* 1 byte of 256 */
        {"\1\0\0\1\0\377\377\377\377", 9, WAL_TORN}, /* half a number */
        {"\1\0\0\1\0\377\377\377\377\377", 10, WAL_BAD},
    };
    for (size_t i = 0; i < sizeof(tail) / sizeof(tail[0]); i++) {
        autoclose int fd = new_file();
        floats("k", 50);
        uint64_t good = entry(fd, 1);
        assert_int_equal(io_pwrite_all(fd, tail[i].b, tail[i].n, good), 0);
        assert_int_equal(scan(fd, 0, good + tail[i].n), good);
        assert_int_equal(how, tail[i].how);
    }
}

static void test_large(void **state)
{
    (void)state;
    autoclose int fd = new_file();
    uint64_t ends[40] = {0};
    for (uint32_t i = 1; i < 40; i++) {
        floats("small", i * 37);
        ends[i] = entry(fd, 1);
    }
    floats("large", 1 << 20);
    uint64_t end = entry(fd, 1);
    assert_true(end - ends[39] > 1 << 20);
    assert_int_equal(scan(fd, 0, end), end);
    assert_int_equal(scan(fd, ends[20], end), end);
    assert_int_equal(scan(fd, 0, end - 1), ends[39]);
    /* As much as snappy can shrink: 32 MiB of one byte. */
    key(4, "zeros", 1);
    be(0, 8);
    be(30 << 20, 4);
    memset(plain + n_plain, 0, 30 << 20);
    n_plain += 30 << 20;
    uint64_t last = entry(fd, 1);
    assert_true(last - end < 2 << 20);
    assert_int_equal(scan(fd, end, last), last);
}

static void test_hole(void **state)
{
    (void)state;
    autoclose int fd = new_file();
    uint64_t next = 0;
    floats("k", 2);
    uint64_t good = entry(fd, 1), after = good + (3 << 20) + 17;
    assert_int_equal(ftruncate(fd, (off_t)after), 0);
    floats("k", 2);
    uint64_t end = entry(fd, 1);
    assert_int_equal(scan(fd, 0, end), good);
    assert_int_equal(wal_hole(fd, good, end, &next), 0);
    assert_int_equal(next, after);
    assert_int_equal(scan(fd, next, end), end);
    assert_int_equal(wal_hole(fd, 0, end, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(wal_hole(fd, good, after, &next), 0);
    assert_int_equal(next, after);
    assert_int_equal(wal_hole(fd, end, end, &next), 0);
    assert_int_equal(next, end);
    /* Zeros that were written, and a hole that reaches the end of the file. */
    static const uint8_t zeros[700000];
    assert_int_equal(io_pwrite_all(fd, zeros, sizeof(zeros), good), 0);
    assert_int_equal(wal_hole(fd, good, end, &next), 0);
    assert_int_equal(next, after);
    assert_int_equal(ftruncate(fd, (off_t)end + (1 << 20)), 0);
    assert_int_equal(wal_hole(fd, end, end + (1 << 20), &next), 0);
    assert_int_equal(next, end + (1 << 20));
}

static void test_errors(void **state)
{
    (void)state;
    autoclose int fd = new_file();
    uint64_t out = 99;
    floats("k", 1);
    uint64_t end = entry(fd, 1);
    assert_int_equal(wal_scan(fd, 0, end + 1, &out, &how), -ENODATA);
    assert_int_equal(wal_hole(fd, 0, end + 1, &out), -ENODATA);
    assert_int_equal(wal_scan(fd, 0, UINT64_MAX, &out, &how), -ENODATA);
    assert_int_equal(wal_scan(fd, 2, 1, &out, &how), -EINVAL);
    assert_int_equal(wal_hole(fd, 2, 1, &out), -EINVAL);
    assert_int_equal(wal_scan(-1, 0, 1, &out, &how), -EBADF);
    assert_int_equal(out, 99);
}

static void test_hostile(void **state)
{
    (void)state;
    autoclose int fd = new_file();
    all_types();
    entry(fd, 1);
    be(1, 8);
    be(2, 8);
    be(3, 4);
    raw("abc", 3);
    uint64_t end = entry(fd, 3);
    for (uint64_t i = 0; i < end; i++)
        for (int c = 0; c < 256; c++) {
            char was, now = (char)c;
            assert_int_equal(io_pread_all(fd, &was, 1, i), 0);
            assert_int_equal(io_pwrite_all(fd, &now, 1, i), 0);
            assert_true(scan(fd, 0, end) <= end);
            assert_int_equal(io_pwrite_all(fd, &was, 1, i), 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),    cmocka_unit_test(test_bad_payloads),
        cmocka_unit_test(test_bad_snappy), cmocka_unit_test(test_torn_or_bad),
        cmocka_unit_test(test_large),      cmocka_unit_test(test_hole),
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
