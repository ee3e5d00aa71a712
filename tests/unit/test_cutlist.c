/* SPDX-License-Identifier: MIT */
/* cutlist: the manifest of a cut in memory; test_cuts.c has them on disk. */
#include "store/base/cleanup.h"
#include "store/chain/cutlist.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "chain c\nid i\ncreated 1\nhost h\nindex 1\nskew 0\n"

/* A manifest of these lines, sealed; by malloc. */
static char *sealed(const char *magic, const char *lines)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1], *text = NULL, *whole = NULL;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    assert_true(asprintf(&text, "%s\n%s", magic, lines) > 0);
    sha256_add(h, text, strlen(text));
    sha256_end(h, sum);
    sha256_hex(sum, hex);
    assert_true(asprintf(&whole, "%send %s\n", text, hex) > 0);
    free(text);
    return whole;
}

static int parse(const char *lines, struct cutlist **out, struct err *e)
{
    char *text = sealed("influxfs-cut 2", lines);
    return cutlist_parse("x", text, strlen(text), out, e);
}

static struct cutlist *must_parse(const char *lines)
{
    struct cutlist *l = NULL;
    struct err e = {""};
    if (parse(lines, &l, &e) != 0)
        fail_msg("%s: %s", lines, e.text);
    return l;
}

#define SUM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void all_is_kept(void **state)
{
    static const char lines[] =
        "serial 4\nnumber 3\nchain c\nid i\nparent p\ncreated 1465646400000000000\nwall -5\n"
        "host a%25b\nindex 18446744073709551615\nskew -7\nlost 1 2 3 4 2\nlost-in a/b%25\n"
        "lost-in c/d e\nguard accepted\nd 755 0 0 1 data\n"
        "f 640 4294967295 1 -2 10 9 77 3/4294967295 " SUM " data/a b/r/1/1-1.tsm\n"
        "f 600 0 0 0 0 0 0 0/0 - wal/db/rp/1/_00001.wal\n"
        "r data/db/rp/1/2-2.tsm\nR data/db\nL data/d/r/1 -> /slow disk\no 2 7 bad data/x%0A\n"
        "o 0 0 foreign data/lost+found\n";
    (void)state;
    cleanup(cutlist_freep) struct cutlist *l = must_parse(lines);
    autofree char *want = sealed("influxfs-cut 2", lines), *got = NULL;
    size_t len;
    assert_int_equal(cutlist_render(l, &got, &len), 0);
    assert_int_equal(len, strlen(got));
    assert_string_equal(got, want);
    assert_int_equal(l->entries[1].attr.uid, UINT32_MAX);
    assert_int_equal(l->entries[1].place.seq, UINT32_MAX);
    assert_true(l->entries[1].have_sum && l->entries[1].sum[15] == 0xff);
    assert_string_equal(l->left_out.at[0].name, "data/x\n");
    struct cut_summary sum;
    assert_int_equal(cutlist_sum_up("x", want, len, &sum, NULL), 0);
    assert_int_equal(sum.files, 2);
    assert_int_equal(sum.bytes, 10);
    assert_int_equal(sum.left_out, 1);
    assert_int_equal(sum.head.wall_ns, -5);
}

static void what_does_not_make_sense(void **state)
{
    static const char *const bad[] = {
        "chain c\n",
        "id i\n",
        HEAD "odd 1\n",
        HEAD "\n",
        HEAD "serial -1\n",
        HEAD "serial 9223372036854775808\n",
        HEAD "number x\n",
        HEAD "wall\n",
        HEAD "guard perhaps\n",
        HEAD "lost 1 2 3 4\n",
        HEAD "lost-in a%0Ab\n",
        HEAD "d 755 0 0 1 /data\n",
        HEAD "d 755 0 0 1 data/../wal\n",
        HEAD "d 755 0 0 1 etc\n",
        HEAD "d 99 0 0 1 data\n",
        HEAD "d 755 0 4294967296 1 data\n",
        HEAD "d 755 0 0 1 wal\nd 755 0 0 1 data\n",
        HEAD "d 755 0 0 1 data\nd 755 0 0 1 data\n",
        HEAD "f 644 0 0 0 1 1 1 1 - data/a\n",
        HEAD "f 644 0 0 0 1 1 1 1/4294967296 - data/a\n",
        HEAD "f 644 0 0 0 1125899906842625 1 1 1/1 - data/a\n",
        HEAD "f 644 0 0 0 1 1 1 1/1 00ff data/a\n",
        HEAD "f 644 0 0 0 1 1 1 1/1 - data\n",
        HEAD "r data/a%00\n",
        HEAD "R meta/x\n",
        HEAD "L\nL\nL\n",
        HEAD "o 1 2 odd x\n",
        HEAD "no newline",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct cutlist *l = NULL;
        struct err e = {""};
        if (parse(bad[i], &l, &e) != -EBADMSG || l || !strstr(e.text, "manifest of cut x"))
            fail_msg("%s: %s", bad[i], e.text);
    }
}

static int parse_text(char *text, size_t len)
{
    struct cutlist *l = NULL;
    int r = cutlist_parse("x", text, len, &l, NULL);
    cutlist_free(l);
    return r;
}

static void a_seal_covers_every_byte(void **state)
{
    (void)state;
    autofree char *good = sealed("influxfs-cut 2", HEAD);
    size_t n = strlen(good);
    assert_int_equal(parse_text(strdup(good), n), 0);
    for (size_t i = 0; i < n; i++) {
        char *text = strdup(good);
        text[i] ^= 1;
        int r = parse_text(text, n);
        if (r != -EBADMSG && r != -EINVAL)
            fail_msg("byte %zu: %d", i, r);
        assert_int_equal(parse_text(strndup(good, i), i), -EBADMSG);
    }
    char *later = sealed("influxfs-cut 3", HEAD);
    assert_int_equal(parse_text(later, strlen(later)), -EINVAL);
}

static void order_of_members(void **state)
{
    static const char *const sorted[] = {"meta",     "meta/meta.db", "data",     "data/a",
                                         "data/a/b", "data/a/b/c",   "data/a b", "data/a-b",
                                         "data/aa",  "wal",          "wal/a"};
    (void)state;
    for (size_t i = 0; i < sizeof(sorted) / sizeof(*sorted); i++)
        for (size_t k = 0; k < sizeof(sorted) / sizeof(*sorted); k++) {
            int d = cut_path_cmp(sorted[i], sorted[k]);
            if ((d > 0) - (d < 0) != (i > k) - (i < k))
                fail_msg("%s, %s: %d", sorted[i], sorted[k], d);
        }
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(all_is_kept),
        T(what_does_not_make_sense),
        T(a_seal_covers_every_byte),
        T(order_of_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
