/* SPDX-License-Identifier: MIT */
/* html: texts of a store within a page, and figures as words. */
#include "store/base/time.h"
#include "store/program/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BAD "\xef\xbf\xbd"

/* What has been appended, which is what is wanted; the buffer is as new. */
static void is(struct buffer *b, const char *wanted)
{
    buffer_add(b, "", 1);
    assert_false(b->failed);
    assert_string_equal(b->p, wanted);
    buffer_free(b);
}

static void becomes(const char *text, const char *wanted)
{
    struct buffer b = {0};
    html_text(&b, text, HTML_WORDS);
    is(&b, wanted);
}

static void test_markup_stays_text(void **state)
{
    (void)state;
    becomes("", "");
    becomes("data/db/autogen/1", "data/db/autogen/1");
    becomes("<script>alert('a' && \"b\")</script>",
            "&lt;script&gt;alert(&#39;a&#39; &amp;&amp; &quot;b&quot;)&lt;/script&gt;");
    becomes("]]>--><!--", "]]&gt;--&gt;&lt;!--");
    becomes("&amp;", "&amp;amp;");
    becomes("%s%n", "%s%n");
}

static void test_ill_formed(void **state)
{
    (void)state;
    becomes("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    becomes("caf\xe9", "caf" BAD);
    becomes("\xff\xfe<", BAD BAD "&lt;");
    becomes("\xc0\xbcscript", BAD BAD "script"); /* an overlong "<" */
    becomes("\xed\xa0\x80", BAD BAD BAD);
    becomes("\xf4\x90\x80\x80", BAD BAD BAD BAD);
    becomes("\xe2\x82", BAD BAD);
    becomes("\xf0\x9f\x98", BAD BAD BAD);
}

static void test_unseen(void **state)
{
    (void)state;
    becomes("a\nb\tc\x7f", "a[U+000A]b[U+0009]c[U+007F]");
    becomes("\xe2\x80\xaegnp.exe", "[U+202E]gnp.exe");
    becomes("\xe2\x81\xa6x\xe2\x81\xa9", "[U+2066]x[U+2069]");
    becomes("a\xe2\x80\x8b"
            "b\xef\xbb\xbf",
            "a[U+200B]b[U+FEFF]");
    becomes("\xc2\x85\xc2\xad\xd8\x9c", "[U+0085][U+00AD][U+061C]");
    becomes("\xf3\xa0\x81\x81\xef\xbf\xbe", "[U+E0041][U+FFFE]");
    /* Letters of any script, and marks that belong to them, are shown. */
    becomes("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d e\xcc\x81 \xe6\x97\xa5",
            "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d e\xcc\x81 \xe6\x97\xa5");
}

static void test_cut_short(void **state)
{
    char name[HTML_NAME + 2] = "", wanted[3 * HTML_NAME];
    struct buffer b = {0};
    (void)state;
    html_text(&b, "\xc3\xa9\xc3\xa9\xc3\xa9", 2);
    is(&b, "\xc3\xa9\xc3\xa9…");
    html_text(&b, "ab", 2);
    is(&b, "ab");
    html_name(&b, "a\"b");
    is(&b, "<bdi class=\"name\">a&quot;b</bdi>");
    html_words(&b, "why");
    is(&b, "<bdi class=\"words\">why</bdi>");
    memset(name, 'x', HTML_NAME);
    name[0] = '"';
    name[HTML_NAME] = 'y';
    snprintf(wanted, sizeof(wanted), "<bdi class=\"name\" title=\"&quot;%s\">&quot;%.*s…</bdi>",
             name + 1, HTML_NAME - 1, name + 1);
    html_name(&b, name);
    is(&b, wanted);
}

/* Neither the text nor its title grows without bounds. */
static void test_very_long(void **state)
{
    size_t n = 1 << 20;
    char *name = malloc(n + 1);
    struct buffer b = {0};
    (void)state;
    assert_non_null(name);
    memset(name, '\x01', n);
    name[n] = 0;
    html_name(&b, name);
    html_words(&b, name);
    assert_true(b.n < 9 * (2 * (size_t)HTML_WORDS + HTML_NAME));
    buffer_free(&b);
    free(name);
}

static void test_figures(void **state)
{
    struct buffer b = {0};
    (void)state;
    html_size(&b, 0);
    is(&b, "<span class=\"size\" title=\"0 bytes\">0 B</span>");
    html_size(&b, 1);
    is(&b, "<span class=\"size\" title=\"1 byte\">1 B</span>");
    html_size(&b, 1610612736);
    is(&b, "<span class=\"size\" title=\"1,610,612,736 bytes\">1.5 GiB</span>");
    html_size(&b, UINT64_MAX);
    is(&b, "<span class=\"size\" title=\"18,446,744,073,709,551,615 bytes\">16384 PiB</span>");
    html_count(&b, 999);
    is(&b, "999");
    html_counted(&b, 1, "file");
    is(&b, "1 file");
    html_counted(&b, 1000, "file");
    is(&b, "1,000 files");
}

static void test_times(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } spans[] = {
        {-1, "0 ms"},
        {0, "0 ms"},
        {40 * MILLISECOND_NS, "40 ms"},
        {1500 * MILLISECOND_NS, "1.5 s"},
        {10 * SECOND_NS, "10 s"},
        {60 * SECOND_NS, "1 min"},
        {754 * SECOND_NS, "12 min 34 s"},
        {3600 * SECOND_NS, "1 h"},
        {DAY_NS + 7300 * SECOND_NS, "1 d 2 h"},
        {INT64_MAX, "106751 d 23 h"},
    };
    char text[HTML_SPAN];
    struct buffer b = {0};
    (void)state;
    html_time(&b, 0);
    is(&b, "never");
    html_time(&b, INT64_C(1465646400) * SECOND_NS + 5);
    is(&b, "<time datetime=\"2016-06-11T12:00:00Z\">2016-06-11 12:00:00</time>");
    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
        assert_string_equal(html_span(spans[i].ns, text), spans[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup_stays_text),
        cmocka_unit_test(test_ill_formed),
        cmocka_unit_test(test_unseen),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_very_long),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
