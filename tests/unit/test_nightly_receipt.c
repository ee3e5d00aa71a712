/* SPDX-License-Identifier: MIT */
/* receipt: written, read and mistrusted. */
#include "mount-helper/nightly/receipt.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STORE "0123456789abcdef0123456789abcdef"
#define SUM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define RUN_NAME "01234567-20160611T235500Z"
#define BEFORE "01234567-20160610T235500Z.json"
#define FULL_BEFORE "01234567-20160604T235500Z.json"

/* Its texts are literals, so it is never cleared. */
static struct receipt made(enum receipt_form form, struct receipt_object *objects, size_t n)
{
    struct receipt c = {.form = form,
                        .store = STORE,
                        .day = "2016-06-11",
                        .run = "20160611T235500Z",
                        .id = (char *)"id1",
                        .number = -1,
                        .objects = objects,
                        .nobjects = n};
    if (form == RECEIPT_INCREMENTAL) {
        c.parent = (char *)"id0";
        c.number = 5;
        c.follows = (struct receipt_ref){"2016-06-10", (char *)BEFORE};
        c.base = (struct receipt_ref){"2016-06-04", (char *)FULL_BEFORE};
    }
    return c;
}

static struct receipt_object tar_part(const char *name, uint64_t size)
{
    return (struct receipt_object){.name = (char *)name, .size = size, .sha256 = SUM};
}

/* The text with its seal, made anew; by malloc. */
static char *sealed(const char *json)
{
    char sum[SHA256_HEX + 1], *out = NULL;
    assert_int_equal(sha256_of(json, strlen(json), sum), 0);
    assert_true(asprintf(&out, "%s,\"sha256\":\"%s\"}\n", json, sum) > 0);
    return out;
}

static char *text_of(const struct receipt *c)
{
    struct buffer b = {0};
    struct err e = {""};
    if (receipt_text(c, &b, &e) != 0)
        fail_msg("%s", e.text);
    buffer_add(&b, "", 1);
    return b.p;
}

/* A receipt's text without its seal, in which one text takes the place of another. */
static char *changed(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old), *seal = strstr(text, ",\"sha256\":\"");
    for (const char *next; (next = strstr(seal + 1, ",\"sha256\":\""));)
        seal = next;
    if (!at || at > seal)
        fail_msg("%s is not in %s", old, text);
    autofree char *plain = NULL;
    assert_true(asprintf(&plain, "%.*s%s%.*s", (int)(at - text), text, new,
                         (int)(seal - at - (ptrdiff_t)strlen(old)), at + strlen(old)) > 0);
    return sealed(plain);
}

static void all_is_kept(void **state)
{
    static char *databases[] = {(char *)"sensu_db", (char *)"\xc3\xbc b"};
    static char *left_out[] = {(char *)"data/x: 7 bytes\n, unreadable"};
    struct receipt_object objects[] = {tar_part(RUN_NAME "-5.tar.000", 5),
                                       tar_part(RUN_NAME "-5.tar.001", UINT64_C(1) << 40)};
    struct receipt c = made(RECEIPT_INCREMENTAL, objects, 2), back;
    (void)state;
    strcpy(objects[1].md5, "d41d8cd98f00b204e9800998ecf8427e");
    objects[1].what = (char *)"any\ntext";
    c.host = (char *)"a\x01.example";
    c.created = (char *)"2016-06-11T23:55:01Z";
    c.databases = databases;
    c.ndatabases = 2;
    c.shrunk = true;
    c.left_out = left_out;
    c.nleft_out = 1;
    const char *const one[] = {"sensu_db"};
    struct selection part = SELECTION_ALL;
    part.databases = one;
    part.ndatabases = 1;
    assert_int_equal(selection_copy(&part, &c.selection), 0);
    autofree char *text = text_of(&c);
    assert_int_equal(receipt_read(text, strlen(text), &back, NULL), 0);
    assert_true(selection_same(back.selection, c.selection));
    selection_free(c.selection);
    assert_int_equal(back.form, RECEIPT_INCREMENTAL);
    assert_string_equal(back.store, STORE);
    assert_string_equal(back.day, "2016-06-11");
    assert_string_equal(back.run, "20160611T235500Z");
    assert_string_equal(back.host, "a?.example");
    assert_string_equal(back.id, "id1");
    assert_string_equal(back.parent, "id0");
    assert_string_equal(back.created, "2016-06-11T23:55:01Z");
    assert_int_equal(back.number, 5);
    assert_string_equal(back.follows.day, "2016-06-10");
    assert_string_equal(back.follows.name, BEFORE);
    assert_string_equal(back.base.name, FULL_BEFORE);
    assert_int_equal(back.ndatabases, 2);
    assert_true(back.shrunk);
    assert_string_equal(back.databases[1], "\xc3\xbc b");
    assert_int_equal(back.nleft_out, 1);
    assert_string_equal(back.left_out[0], "data/x: 7 bytes?, unreadable");
    assert_int_equal(back.nobjects, 2);
    assert_string_equal(back.objects[0].md5, "");
    assert_null(back.objects[0].what);
    assert_string_equal(back.objects[1].md5, objects[1].md5);
    assert_string_equal(back.objects[1].what, "any\ntext");
    assert_string_equal(back.objects[1].sha256, SUM);
    assert_true(receipt_bytes(&back) == (UINT64_C(1) << 40) + 5);
    assert_ptr_equal(receipt_find(&back, RUN_NAME "-5.tar.001"), &back.objects[1]);
    assert_null(receipt_find(&back, "x"));
    receipt_clear(&back);
}

/* Cut anywhere, or with any byte changed, nothing is believed. */
static void damage_is_noticed(void **state)
{
    struct receipt_object objects[] = {tar_part(RUN_NAME "-full.tar", 5)};
    const struct receipt c = made(RECEIPT_FULL, objects, 1);
    autofree char *text = text_of(&c);
    const size_t n = strlen(text);
    struct receipt back;
    (void)state;
    for (size_t i = 0; i < n - 1; i++) {
        struct err e = {""};
        assert_int_equal(receipt_read(text, i, &back, &e), -EBADMSG);
        assert_true(e.text[0] && !back.id && !back.objects);
        text[i] ^= 1;
        assert_int_equal(receipt_read(text, n, &back, &e), -EBADMSG);
        text[i] ^= 1;
    }
    assert_int_equal(receipt_read(text, n - 1, &back, NULL), 0);
    receipt_clear(&back);
}

/* Sealed well, but not to be believed. */
static void contradictions_are_refused(void **state)
{
    static const struct {
        enum receipt_form form;
        const char *old, *new;
    } bad[] = {
        {RECEIPT_FULL, "\"version\":1", "\"version\":0"},
        {RECEIPT_FULL, "\"form\":\"full\"", "\"form\":\"half\""},
        {RECEIPT_FULL, STORE, "0123456789ABCDEF0123456789abcdef"},
        {RECEIPT_FULL, STORE, "0123456789abcdef"},
        {RECEIPT_FULL, "\"day\":\"2016-06-11\"", "\"day\":\"2016-06-31\""},
        {RECEIPT_FULL, "\"day\":\"2016-06-11\"", "\"day\":20160611"},
        {RECEIPT_FULL, "20160611T235500Z", "20160611 235500Z"},
        {RECEIPT_FULL, "\"id\":\"id1\"", "\"id\":null"},
        {RECEIPT_FULL, "\"id\":\"id1\"", "\"id\":\"\""},
        {RECEIPT_FULL, "\"parent\":null", "\"parent\":\"id0\""},
        {RECEIPT_FULL, "\"number\":null", "\"number\":-1"},
        {RECEIPT_FULL, "\"number\":null", "\"number\":\"1\""},
        {RECEIPT_FULL, "\"bytes\":5", "\"bytes\":6"},
        {RECEIPT_FULL, "\"size\":5", "\"size\":-5"},
        {RECEIPT_FULL, "\"size\":5", "\"size\":1e99"},
        {RECEIPT_FULL, "\"size\":5", "\"size\":1152921504606846976"},
        {RECEIPT_FULL, "\"md5\":null", "\"md5\":\"x\""},
        {RECEIPT_FULL, ",\"md5\":null", ""},
        {RECEIPT_FULL, SUM, "x"},
        {RECEIPT_FULL, "\"name\":\"" RUN_NAME "-full", "\"name\":\"../" RUN_NAME "-full"},
        {RECEIPT_FULL, "\"name\":\"" RUN_NAME "-full", "\"name\":\"89abcdef-20160611T235500Z-full"},
        {RECEIPT_FULL, "\"name\":\"" RUN_NAME "-full.tar", "\"name\":\"" RUN_NAME "-\\u0000"},
        {RECEIPT_FULL, "\"databases\":[]", "\"selection\":[],\"databases\":[]"},
        {RECEIPT_FULL, "\"databases\":[]", "\"shrunk\":1,\"databases\":[]"},
        {RECEIPT_FULL, "\"databases\":[]", "\"databases\":[7]"},
        {RECEIPT_FULL, "\"databases\":[]", "\"databases\":[\"\\n\"]"},
        {RECEIPT_FULL, "\"left_out\":[]", "\"left_out\":{}"},
        {RECEIPT_FULL, "\"objects\":[", "\"objects\":[null,"},
        {RECEIPT_FULL, "\"objects\":[", "\"objects\":[[[[[[[[[[[]]]]]]]]]],"},
        {RECEIPT_FULL, "{\"version", "[\"version"},
        {RECEIPT_FULL, "{\"version", "{}{\"version"},
        {RECEIPT_INCREMENTAL, "\"parent\":\"id0\"", "\"parent\":null"},
        {RECEIPT_INCREMENTAL, "\"number\":5", "\"number\":null"},
        {RECEIPT_INCREMENTAL, BEFORE, "01234567-20160611T235500Z.json"}, /* itself */
        {RECEIPT_INCREMENTAL, BEFORE, "01234567-20160612T000000Z.json"}, /* a later one */
        {RECEIPT_INCREMENTAL, BEFORE, "89abcdef-20160610T235500Z.json"}, /* another store's */
        {RECEIPT_INCREMENTAL, BEFORE, "01234567-20160603T235500Z.json"}, /* before the base */
        {RECEIPT_INCREMENTAL, BEFORE, "../01234567-20160610T235500Z.json"},
        {RECEIPT_INCREMENTAL, "\"day\":\"2016-06-10\"", "\"day\":\"..\""},
        {RECEIPT_INCREMENTAL, "\"base\":{\"day\":\"2016-06-04\",\"receipt\":\"" FULL_BEFORE "\"}",
         "\"base\":null"},
        {RECEIPT_LEGACY, "meta.00", "a/b"},
        {RECEIPT_LEGACY, "meta.00", ".."},
        {RECEIPT_LEGACY, "meta.00", "x\\ny"},
        {RECEIPT_LEGACY, "meta.00", BEFORE},
        {RECEIPT_LEGACY, "meta.00", "meta.01"}, /* which is there */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct receipt_object tar[] = {tar_part(RUN_NAME "-full.tar", 5)};
        struct receipt_object set[] = {tar_part("meta.00", 5), tar_part("meta.01", 0)};
        const bool legacy = bad[i].form == RECEIPT_LEGACY;
        const struct receipt c = made(bad[i].form, legacy ? set : tar, legacy ? 2 : 1);
        autofree char *good = text_of(&c), *text = changed(good, bad[i].old, bad[i].new);
        struct receipt back;
        struct err e = {""};
        if (receipt_read(text, strlen(text), &back, &e) != -EBADMSG)
            fail_msg("taken: %s", text);
        assert_true(e.text[0] && !back.id && !back.objects);
    }
}

static void a_later_version_is_named(void **state)
{
    struct receipt_object objects[] = {tar_part(RUN_NAME "-full.tar", 5)};
    const struct receipt c = made(RECEIPT_FULL, objects, 1);
    autofree char *good = text_of(&c), *text = changed(good, "\"version\":1", "\"version\":2");
    struct receipt back;
    struct err e = {""};
    (void)state;
    assert_int_equal(receipt_read(text, strlen(text), &back, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "version 2"));
}

/* What nothing could be fetched by is not written. */
static void what_would_not_be_read_is_not_written(void **state)
{
    struct receipt_object objects[] = {tar_part("a/b", 5)};
    struct receipt c = made(RECEIPT_LEGACY, objects, 1);
    struct buffer b = {0};
    struct err e = {""};
    (void)state;
    assert_int_equal(receipt_text(&c, &b, &e), -EBADMSG);
    assert_true(e.text[0]);
    buffer_free(&b);
}

static void nothing_changed_is_the_same_state(void **state)
{
    struct receipt c = made(RECEIPT_INCREMENTAL, NULL, 0), back;
    struct buffer b = {0};
    (void)state;
    assert_int_equal(receipt_text(&c, &b, NULL), -EBADMSG);
    buffer_free(&b);
    c.parent = c.id;
    c.number = -1; /* as that of a full one that it follows */
    autofree char *text = text_of(&c);
    assert_int_equal(receipt_read(text, strlen(text), &back, NULL), 0);
    assert_int_equal(back.nobjects, 0);
    receipt_clear(&back);
    c = made(RECEIPT_DUMPS, NULL, 0); /* all were empty */
    c.id = NULL;
    free(text_of(&c));
}

static void names_are_told_apart(void **state)
{
    static const char *const others[] = {"01234567-20160611T235500Z.sha256",
                                         "01234567-20160611T235500Z-full.tar",
                                         "0123456-20160611T235500Z.json",
                                         "0123456G-20160611T235500Z.json",
                                         "01234567-20160611235500ZZ.json",
                                         "01234567-20160611T235500Z.jsom",
                                         "01234567_20160611T235500Z.json",
                                         "01234567-20160611T23550/Z.json",
                                         "",
                                         "x"};
    char name[RECEIPT_NAME], store[RECEIPT_STORE + 1], run[RECEIPT_RUN + 1];
    struct receipt c = {.store = STORE};
    (void)state;
    receipt_run(INT64_C(1465689300999999999), c.run);
    assert_string_equal(c.run, "20160611T235500Z");
    receipt_name(&c, ".json", name);
    assert_string_equal(name, RUN_NAME ".json");
    assert_true(receipt_is_name(name, store, run));
    assert_string_equal(store, "01234567");
    assert_string_equal(run, "20160611T235500Z");
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(receipt_is_name(others[i], store, run));
}

static void sums_are_those_of_sha256sum(void **state)
{
    struct receipt_object objects[] = {tar_part("a b", 1), tar_part("c\\d", 2)};
    const struct receipt c = made(RECEIPT_LEGACY, objects, 2);
    struct buffer b = {0};
    (void)state;
    receipt_sums(&c, &b);
    buffer_add(&b, "", 1);
    assert_false(b.failed);
    assert_string_equal(b.p, SUM "  a b\n\\" SUM "  c\\\\d\n");
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_kept),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(a_later_version_is_named),
        cmocka_unit_test(what_would_not_be_read_is_not_written),
        cmocka_unit_test(nothing_changed_is_the_same_state),
        cmocka_unit_test(names_are_told_apart),
        cmocka_unit_test(sums_are_those_of_sha256sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
