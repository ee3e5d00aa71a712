/* SPDX-License-Identifier: MIT */
/* json: any bytes as text that readers of JSON take. */
#include "store/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BAD "\xef\xbf\xbd"

static void check(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
    struct json_object *o = json_text_len(text, len);
    assert_non_null(o);
    assert_int_equal(json_object_get_string_len(o), wanted_len);
    assert_memory_equal(json_object_get_string(o), wanted, wanted_len);
    json_object_put(o);
}

#define SAME(text) check(text, sizeof(text) - 1, text, sizeof(text) - 1)
#define BECOMES(text, wanted) check(text, sizeof(text) - 1, wanted, sizeof(wanted) - 1)

static void test_well_formed(void **state)
{
    (void)state;
    SAME("");
    SAME("data/db/autogen/1");
    SAME("a\0b\x01\x7f\"\\/\n");
    SAME("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 " BAD);
    /* The ends of each row of RFC 3629, section 4. */
    SAME("\xc2\x80\xdf\xbf");
    SAME("\xe0\xa0\x80\xe0\xbf\xbf\xe1\x80\x80\xec\xbf\xbf");
    SAME("\xed\x80\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
    SAME("\xf0\x90\x80\x80\xf0\xbf\xbf\xbf\xf1\x80\x80\x80\xf3\xbf\xbf\xbf");
    SAME("\xf4\x80\x80\x80\xf4\x8f\xbf\xbf");
}

static void test_ill_formed(void **state)
{
    (void)state;
    BECOMES("\xff", BAD);
    BECOMES("caf\xe9/rp/50", "caf" BAD "/rp/50");
    BECOMES("\xff\xfe.tar", BAD BAD ".tar");
    BECOMES("a\x80"
            "b",
            "a" BAD "b");
    /* Overlong forms, surrogates, what lies above U+10FFFF. */
    BECOMES("\xc0\xaf\xc1\xbf", BAD BAD BAD BAD);
    BECOMES("\xe0\x80\xaf\xe0\x9f\xbf", BAD BAD BAD BAD BAD BAD);
    BECOMES("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD);
    BECOMES("\xed\xa0\x80\xed\xbf\xbf", BAD BAD BAD BAD BAD BAD);
    BECOMES("\xf4\x90\x80\x80\xf5\x80\x80\x80", BAD BAD BAD BAD BAD BAD BAD BAD);
    /* Cut short, by the end or by another character. */
    BECOMES("x\xc3", "x" BAD);
    BECOMES("\xe2\x82", BAD BAD);
    BECOMES("\xf0\x9f\x98", BAD BAD BAD);
    BECOMES("\xe2\x82z\xc3\xa9", BAD BAD "z\xc3\xa9");
    BECOMES("\xf0\x9f\xc3\xa9\xff", BAD BAD "\xc3\xa9" BAD);
}

/* Only len bytes are read, whatever stands after them. */
static void test_length(void **state)
{
    (void)state;
    check("\xc3\xa9", 1, BAD, 3);
    check("ab\xff", 2, "ab", 2);
}

/* Every text of two bytes comes out well-formed: what was mended is not mended again. */
static void test_settles(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x10000; i++) {
        char text[2] = {(char)(i >> 8), (char)i};
        struct json_object *o = json_text_len(text, 2);
        const char *once = json_object_get_string(o);
        check(once, (size_t)json_object_get_string_len(o), once,
              (size_t)json_object_get_string_len(o));
        json_object_put(o);
    }
}

static void test_null(void **state)
{
    (void)state;
    assert_null(json_text_or_null(NULL));
    assert_null(json_text_or_null(""));
    struct json_object *o = json_text_or_null("a\xff");
    assert_string_equal(json_object_get_string(o), "a" BAD);
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well_formed), cmocka_unit_test(test_ill_formed),
        cmocka_unit_test(test_length),      cmocka_unit_test(test_settles),
        cmocka_unit_test(test_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
