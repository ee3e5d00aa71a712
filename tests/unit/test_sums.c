/* SPDX-License-Identifier: MIT */
/* SHA256SUMS against what was unpacked. */
#include "tests/unit/snap.h"

#include "store/restore/sums.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Names with what sha256sum(1) escapes. A parsed manifest has none with a newline. */
static struct manifest_file files[] = {
    {.name = (char *)"data/back\\slash/rp/1/1-1.tsm"},
    {.name = (char *)"data/db/rp/1/1-1.tsm"},
    {.name = (char *)"data/new\nline/rp/1/1-1.tsm"},
    {.name = (char *)"meta/meta.db"},
};
#define NFILES (sizeof(files) / sizeof(*files))

static const struct manifest manifest = {.files = files, .nfiles = NFILES};
static uint8_t sums[NFILES + 1][SHA256_BYTES]; /* the last one is the manifest's */

static void sum_of(const char *text, uint8_t out[SHA256_BYTES])
{
    struct sha256 *s = sha256_new();
    assert_non_null(s);
    sha256_add(s, text, strlen(text));
    sha256_end(s, out);
    sha256_free(s);
}

static struct buffer good(void)
{
    struct buffer b = {0};
    snap_sum(&b, "manifest", "manifest", 8);
    for (size_t i = 0; i < NFILES; i++)
        snap_sum(&b, files[i].name, files[i].name, strlen(files[i].name));
    return b;
}

static int check(const struct buffer *b, struct err *e)
{
    e->text[0] = 0;
    return sums_check(b->p, b->n, &manifest, sums[NFILES], (const uint8_t(*)[SHA256_BYTES])sums, e);
}

static void expect(const struct buffer *b, int code, const char *words)
{
    struct err e;
    int r = check(b, &e);
    if (r != code || (words && !strstr(e.text, words)))
        fail_msg("%d (%s), not %d (%s)", r, e.text, code, words ? words : "");
}

static void test_good(void **state)
{
    struct buffer b = good(), turned = {0};
    (void)state;
    expect(&b, 0, NULL);
    const char *second = memchr(b.p, '\n', b.n);
    size_t first = (size_t)(second - b.p) + 1;
    buffer_add(&turned, b.p + first, b.n - first);
    buffer_add(&turned, b.p, first);
    expect(&turned, 0, NULL);
    buffer_free(&turned);
    buffer_free(&b);
}

/* Any other byte is damage, and so is any byte less or more. */
static void test_damage(void **state)
{
    struct buffer b = good();
    struct err e;
    (void)state;
    for (size_t i = 0; i < b.n; i++)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            b.p[i] = (char)(b.p[i] ^ (int)bit);
            if (check(&b, &e) != -EBADMSG || !e.text[0])
                fail_msg("byte %zu, bit %x", i, bit);
            b.p[i] = (char)(b.p[i] ^ (int)bit);
        }
    for (size_t whole = b.n, n = 0; n < whole; n++) {
        struct buffer cut = {.p = b.p, .n = n};
        expect(&cut, -EBADMSG, NULL);
    }
    buffer_add(&b, "\n", 1);
    expect(&b, -EBADMSG, "damaged");
    buffer_free(&b);
}

static void test_lines(void **state)
{
    struct buffer b = good();
    (void)state;
    snap_sum(&b, "meta/meta.db", "meta/meta.db", 12);
    expect(&b, -EBADMSG, "meta/meta.db is listed twice");
    buffer_free(&b);
    b = good();
    snap_sum(&b, "data/other", "x", 1);
    expect(&b, -EBADMSG, "data/other is not in the manifest");
    buffer_free(&b);
    b = good();
    b.n -= 1 + strlen("meta/meta.db") + 2 + SHA256_HEX;
    expect(&b, -EBADMSG, "lists 4 files of 5");
    buffer_free(&b);
    b = good();
    b.p[0] = b.p[0] == '0' ? '1' : '0';
    expect(&b, -EBADMSG, "manifest is damaged");
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_lines),
    };
    for (size_t i = 0; i < NFILES; i++)
        sum_of(files[i].name, sums[i]);
    sum_of("manifest", sums[NFILES]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
