/* SPDX-License-Identifier: MIT */
/* cutlist, cutstate: the manifest of a cut, and the state that several of them make. Both in
 * memory: test_cuts.c has them on disk. */
#include "store/base/cleanup.h"
#include "store/chain/cutstate.h"

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

#define D(path) "d 755 0 0 1 " path "\n"
#define F(size, path) "f 644 0 0 1 " size " 1 1 1/1 - " path "\n"
#define ROOTS D("meta") F("1", "meta/meta.db") D("data")

static struct cutstate *build(const char *const *lines, size_t n, int code)
{
    struct cutlist *lists[4];
    struct cutstate *s = NULL;
    struct err e = {""};
    for (size_t i = 0; i < n; i++)
        lists[i] = must_parse(lines[i]);
    int r = cutstate_build(lists, n, &s, &e);
    if (r != code)
        fail_msg("%d %s", r, e.text);
    return s;
}

static void check_children(const struct cutstate *s, const char *folder)
{
    size_t n, want = 0, len = strlen(folder);
    const struct cut_entry *all = cutstate_entries(s, &n);
    size_t at = cutstate_first_child(s, folder);
    for (size_t i = 0; i < n; i++) {
        const char *p = all[i].path;
        const char *name = len == 0                                        ? p
                           : strncmp(p, folder, len) == 0 && p[len] == '/' ? p + len + 1
                                                                           : NULL;
        if (!name || strchr(name, '/'))
            continue;
        assert_int_equal(at, i);
        at = cutstate_next_child(s, folder, at + 1);
        want++;
    }
    assert_true(at == SIZE_MAX);
    assert_true(want > 0 || len > 0);
}

/* Two numbers on a base: what is new, what has changed, what has gone; and every entry and folder
 * of the result is found. */
static void a_state_of_three(void **state)
{
    static const char *const lines[] = {
        HEAD "id a\n" ROOTS D("data/db") D("data/db/1") F("5", "data/db/1/one")
            F("6", "data/db/1/two") D("data/db/10") F("7", "data/db/10/x") D("wal"),
        HEAD "id b\nparent a\n" F("2", "meta/meta.db")
            F("8", "data/db/1/three") "r data/db/1/one\n",
        HEAD "id c\nparent b\n" F("9", "data/db/1/two")
            D("data/db/2") "r data/db/10/x\nR data/db/10\no 1 2 bad data/n\n"};
    static const char *const want[] = {"meta",          "meta/meta.db", "data",
                                       "data/db",       "data/db/1",    "data/db/1/three",
                                       "data/db/1/two", "data/db/2",    "wal"};
    (void)state;
    cleanup(cutstate_unrefp) struct cutstate *s = build(lines, 3, 0);
    size_t n;
    const struct cut_entry *all = cutstate_entries(s, &n);
    assert_int_equal(n, sizeof(want) / sizeof(*want));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(all[i].path, want[i]);
        assert_int_equal(cutstate_find(s, want[i]), i);
        check_children(s, want[i]);
    }
    check_children(s, "");
    check_children(s, "data/db/3");
    assert_int_equal(all[1].attr.size, 2);
    assert_int_equal(all[6].attr.size, 9);
    assert_true(cutstate_find(s, "data/db/10") == SIZE_MAX);
    assert_true(cutstate_find(s, "wal/a") == SIZE_MAX);
    assert_string_equal(cutstate_head(s)->id, "c");
    assert_string_equal(cutstate_head(s)->parent, "");
    assert_int_equal(cutstate_newest(s)->left_out.n, 1);
}

static void lists_that_do_not_fit(void **state)
{
    (void)state;
    assert_null(build((const char *const[]){HEAD "parent x\n" ROOTS}, 1, -EBADMSG));
    assert_null(build((const char *const[]){HEAD ROOTS, HEAD "parent x\n"}, 2, -EBADMSG));
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(all_is_kept),      T(what_does_not_make_sense), T(a_seal_covers_every_byte),
        T(order_of_members), T(a_state_of_three),         T(lists_that_do_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
