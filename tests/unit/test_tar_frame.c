/* SPDX-License-Identifier: MIT */
/* What lies between the data of a tar's members: headers, padding, and the zeros at its end. */
#include "tests/unit/snap.h"

#include "store/restore/tar_frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 512

/* A tar made by hand, and where its members lie. */
struct made {
    struct buffer tar;
    struct where {
        uint64_t at, size;
        bool folder;
    } member[8];
    size_t n;
};

static void add_padding(struct buffer *b)
{
    static const char zeros[BLOCK];
    buffer_add(b, zeros, (BLOCK - b->n % BLOCK) % BLOCK);
}

static void seal(char head[BLOCK])
{
    unsigned sum = 0;
    memset(head + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)head[i];
    snprintf(head + 148, 7, "%06o", sum);
}

/* A header, and data if there are some. */
static void add_record(struct made *m, char type, const char *data, size_t size)
{
    char head[BLOCK] = "data/name";
    snprintf(head + 124, 12, "%011zo", size);
    head[156] = type;
    memcpy(head + 257, "ustar", 6);
    seal(head);
    buffer_add(&m->tar, head, sizeof(head));
    buffer_add(&m->tar, data, size);
    add_padding(&m->tar);
}

/* A member, of the extensions that were added before it and this record. */
static void add_member(struct made *m, char type, const char *data, size_t size)
{
    m->member[m->n++] = (struct where){m->tar.n + BLOCK, size, type == '5'};
    add_record(m, type, data, size);
}

static void add_end(struct made *m)
{
    static const char zeros[2 * BLOCK];
    buffer_add(&m->tar, zeros, sizeof(zeros));
}

static struct made good(void)
{
    static const char data[BLOCK + 9] = "some data", pax[] = "30 mtime=1465646400.123456789\n";
    struct made m = {0};
    add_member(&m, '0', data, sizeof(data));
    add_record(&m, 'x', pax, sizeof(pax) - 1);
    add_member(&m, '5', NULL, 0);
    add_record(&m, 'L', data, 300);
    add_record(&m, 'K', data, 10);
    add_member(&m, 0, data, BLOCK);
    add_member(&m, '0', NULL, 0);
    add_end(&m);
    return m;
}

/* Lets the frame see the tar as libarchive would read it, in pieces. */
static int watch(const struct made *m, size_t piece, bool *complete, struct err *e)
{
    struct tar_frame f = {0};
    size_t next = 0;
    int r = 0;
    for (size_t at = 0; r == 0 && at < m->tar.n; at += piece) {
        size_t n = m->tar.n - at < piece ? m->tar.n - at : piece;
        /* A copy of exactly this size, so that a look beyond it is seen. */
        autofree char *block = malloc(n);
        assert_non_null(block);
        memcpy(block, m->tar.p + at, n);
        r = tar_frame_block(&f, block, n, e);
        for (; r == 0 && next < m->n && m->member[next].at <= at + n; next++) {
            const struct where *w = &m->member[next];
            r = tar_frame_member(&f, w->at, w->size, w->folder, e);
            if (r == 0 && next + 1 == m->n)
                r = tar_frame_tail(&f, e);
        }
        if (r == 0)
            r = tar_frame_leave(&f, e);
    }
    *complete = tar_frame_complete(&f);
    tar_frame_free(&f);
    return r;
}

static void expect(struct made *m, int code, const char *words)
{
    static const size_t pieces[] = {1, 100, BLOCK, 3 * BLOCK + 1, 1 << 20};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct err e = {0};
        bool complete;
        int r = watch(m, pieces[i], &complete, &e);
        if (r != code || (words && !strstr(e.text, words)))
            fail_msg("in pieces of %zu: %d (%s), not %d (%s)", pieces[i], r, e.text, code,
                     words ? words : "");
        assert_true(r < 0 || complete);
    }
    buffer_free(&m->tar);
}

/* Whether a byte of the tar lies in the data of a member. */
static bool is_data(const struct made *m, size_t i)
{
    for (size_t k = 0; k < m->n; k++)
        if (i >= m->member[k].at && i < m->member[k].at + m->member[k].size)
            return true;
    return false;
}

/* Nor in what an extension says, which the reader looks at. */
static bool is_extension(size_t i)
{
    const size_t pax = 4 * BLOCK, name = 7 * BLOCK, link = 9 * BLOCK;
    return (i >= pax && i < pax + 30) || (i >= name && i < name + 300) ||
           (i >= link && i < link + 10);
}

/* All but the members' data is checked, to the last bit. */
static void test_every_flip(void **state)
{
    struct made m = good();
    size_t missed = 0;
    (void)state;
    for (size_t i = 0; i < m.tar.n; i++)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            struct err e = {0};
            bool complete;
            m.tar.p[i] = (char)(m.tar.p[i] ^ (int)bit);
            int r = watch(&m, 700, &complete, &e);
            m.tar.p[i] = (char)(m.tar.p[i] ^ (int)bit);
            missed += r == 0;
            if (!is_data(&m, i) && !is_extension(i) && (r != -EBADMSG || !e.text[0]))
                fail_msg("byte %zu, bit %x: %d %s", i, bit, r, e.text);
        }
    assert_int_equal(missed, 8 * (BLOCK + 9 + BLOCK + 30 + 300 + 10));
    expect(&m, 0, NULL);
}

static void test_end(void **state)
{
    struct made m = good();
    size_t whole = m.tar.n;
    bool complete;
    (void)state;
    for (m.tar.n = whole - 2 * BLOCK; m.tar.n < whole; m.tar.n++) {
        assert_int_equal(watch(&m, 100, &complete, NULL), 0);
        assert_false(complete);
    }
    add_end(&m);
    assert_int_equal(watch(&m, 100, &complete, NULL), 0);
    assert_true(complete);
    buffer_add(&m.tar, "", 1);
    assert_int_equal(watch(&m, 100, &complete, NULL), 0);
    assert_false(complete);
    add_padding(&m.tar);
    add_record(&m, '0', NULL, 0);
    add_end(&m);
    expect(&m, -EBADMSG, "what follows the last member is not zeros");
}

static void test_types(void **state)
{
    static const char types[] = "12346789gADMNSVX";
    (void)state;
    for (const char *type = types; *type; type++) {
        struct made m = {0};
        add_member(&m, *type, NULL, 0);
        add_end(&m);
        expect(&m, -EBADMSG, "neither a plain file nor a folder");
        memset(&m, 0, sizeof(m));
        add_record(&m, *type, NULL, 0);
        add_member(&m, '0', NULL, 0);
        add_end(&m);
        expect(&m, -EBADMSG, "damaged: a header");
    }
    struct made m = {0};
    add_member(&m, '5', "x", 1);
    add_end(&m);
    expect(&m, -EBADMSG, "neither a plain file nor a folder");
}

/* What libarchive would read over. */
static void test_hidden(void **state)
{
    static const char sparse[] = "22 GNU.sparse.major=1\n";
    struct made m = {0};
    (void)state;
    add_record(&m, 'x', sparse, sizeof(sparse) - 1);
    add_member(&m, '0', NULL, 0);
    add_end(&m);
    expect(&m, -EBADMSG, "damaged: a header");
    memset(&m, 0, sizeof(m));
    add_record(&m, '0', NULL, 0); /* a member that the reader does not speak of */
    add_member(&m, '0', NULL, 0);
    add_end(&m);
    expect(&m, -EBADMSG, "damaged: a header");
    memset(&m, 0, sizeof(m));
    add_end(&m); /* a tar before the tar */
    add_member(&m, '0', NULL, 0);
    add_end(&m);
    expect(&m, -EBADMSG, "damaged: a header");
}

static void test_long_headers(void **state)
{
    autofree char *much = calloc(1, TAR_HEADERS_MAX);
    (void)state;
    assert_non_null(much);
    struct made m = {0};
    add_record(&m, 'x', much, TAR_HEADERS_MAX - 2 * BLOCK);
    add_member(&m, '0', NULL, 0);
    add_end(&m);
    expect(&m, 0, NULL);
    memset(&m, 0, sizeof(m));
    add_record(&m, 'x', much, TAR_HEADERS_MAX);
    add_record(&m, 'x', much, TAR_HEADERS_MAX);
    add_member(&m, '0', NULL, 0);
    add_end(&m);
    struct err e = {0};
    bool complete;
    assert_int_equal(watch(&m, BLOCK, &complete, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "more than 64 KiB"));
    buffer_free(&m.tar);
}

/* The two forms of a checksum that are written, and no other. */
static void test_checksum(void **state)
{
    struct made m = good();
    unsigned char head[BLOCK];
    (void)state;
    memcpy(head, m.tar.p, BLOCK);
    assert_true(tar_frame_header_ok(head));
    unsigned char *sum = head + 148;
    memmove(sum + 1, sum, 6); /* seven digits and a NUL */
    sum[0] = '0';
    sum[7] = 0;
    assert_true(tar_frame_header_ok(head));
    sum[0] = ' ';
    assert_false(tar_frame_header_ok(head));
    memcpy(sum, m.tar.p + 148, 8);
    sum[7] = 0; /* six digits are to be followed by a NUL and a space */
    assert_false(tar_frame_header_ok(head));
    memset(head, 0, BLOCK);
    assert_false(tar_frame_header_ok(head));
    buffer_free(&m.tar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flip),   cmocka_unit_test(test_end),
        cmocka_unit_test(test_types),        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_long_headers), cmocka_unit_test(test_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
