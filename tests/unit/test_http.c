/* SPDX-License-Identifier: MIT */
/* http_request: heads of requests, hosts, and bodies in chunks. */
#include "store/influxsnap/http_request.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_text(const char *text, struct http_request *r)
{
    struct err e = {""};
    int status = http_request_read(text, strlen(text), r, &e);
    assert_int_equal(status == 0, !e.text[0]);
    return status;
}

static struct http_request good(const char *text)
{
    struct http_request r;
    assert_int_equal(http_head_end(text, strlen(text)), strlen(text));
    assert_int_equal(read_text(text, &r), 0);
    return r;
}

static void test_get(void **arg)
{
    (void)arg;
    struct http_request r = good("GET /snapshot HTTP/1.1\r\nHost: LocalHost:8087\r\n\r\n");
    assert_int_equal(r.method, HTTP_GET);
    assert_int_equal(r.minor, 1);
    assert_string_equal(r.path, "/snapshot");
    assert_string_equal(r.host, "LocalHost");
    assert_string_equal(r.line, "GET /snapshot");
    assert_false(r.from_page || r.chunked || r.has_length || r.expects_answer);
    r = good("\r\nHEAD / HTTP/1.0\n\n");
    assert_int_equal(r.method, HTTP_HEAD);
    assert_string_equal(r.host, "");
    r = good("BREW http://[::1]:80/pot HTTP/1.1\r\nHost: elsewhere\r\nOther:\r\n\r\n");
    assert_int_equal(r.method, HTTP_OTHER);
    assert_string_equal(r.path, "/pot");
    assert_string_equal(r.host, "[::1]");
}

static void test_post(void **arg)
{
    (void)arg;
    struct http_request r = good("POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-length:\t12 \r\n"
                                 "expect: 100-Continue\r\n\r\n");
    assert_int_equal(r.method, HTTP_POST);
    assert_true(r.has_length && r.expects_answer && !r.chunked);
    assert_int_equal(r.length, 12);
    r = good("POST /x HTTP/1.0\nTransfer-Encoding: Chunked\nExpect: 100-continue\n\n");
    assert_true(r.chunked && !r.has_length && !r.expects_answer);
}

static void test_from_page(void **arg)
{
    (void)arg;
    assert_true(good("GET / HTTP/1.0\r\nOrigin: null\r\n\r\n").from_page);
    assert_true(good("GET / HTTP/1.0\r\nsec-fetch-site: cross-site\r\n\r\n").from_page);
    assert_true(good("GET / HTTP/1.0\r\nSec-Fetch-Site: same-origin\r\n\r\n").from_page);
    assert_false(good("GET / HTTP/1.0\r\nSec-Fetch-Site: none\r\n\r\n").from_page);
}

static void test_refused(void **arg)
{
    (void)arg;
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, ""},
        {400, "GET\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET  HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GE(T / HTTP/1.0\r\n\r\n"},
        {400, "GET /a b HTTP/1.0\r\n\r\n"},
        {400, "GET /\x7f HTTP/1.0\r\n\r\n"},
        {400, "GET / HTTP/1\r\n\r\n"},
        {400, "GET / HTTP/1.10\r\n\r\n"},
        {400, "GET / http/1.0\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
        {400, "GET http:///snapshot HTTP/1.0\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\n Folded: a\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nName : a\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nNo colon\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nA: b\rc\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nA: \x01\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nContent-Length: -1\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nContent-Length: 1, 1\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nContent-Length:\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nContent-Length: 9999999999999999999\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, "GET / HTTP/1.0\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {417, "GET / HTTP/1.0\r\nExpect: tea\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct http_request r;
        int status = read_text(cases[i].text, &r);
        if (status != cases[i].status)
            fail_msg("%d instead of %d: %s", status, cases[i].status, cases[i].text);
    }
}

static void test_long(void **arg)
{
    (void)arg;
    char text[2000];
    struct http_request r;
    int n = snprintf(text, sizeof(text), "GET /%0500d HTTP/1.1\r\nHost: %0400d\r\n\r\n", 0, 0);
    assert_int_equal(read_text(text, &r), 400); /* no such host can be */
    assert_string_equal(r.path, "");
    assert_int_equal(strlen(r.line), sizeof(r.line) - 1);
    for (int i = 0; i < n; i++)
        assert_int_equal(http_head_end(text, (size_t)i), 0);
    assert_int_equal(http_head_end(text, sizeof(text)), n);
}

static void test_control_bytes(void **arg)
{
    (void)arg;
    struct http_request r;
    assert_int_equal(read_text("GET /\x1b[2J\x01 HTTP/1.0\r\n\r\n", &r), 400);
    assert_string_equal(r.line, "GET /?[2J?");
    static const char nul[] = "GET / HTTP/1.0\r\nA: \0\r\n\r\n";
    assert_int_equal(http_request_read(nul, sizeof(nul) - 1, &r, NULL), 400);
}

static void test_host(void **arg)
{
    (void)arg;
    static const char *const ours[] = {"localhost",   "LOCALHOST",   "127.0.0.1",  "10.1.2.3",
                                       "[::1]",       "[fe80::1]",   "db.example", "localhost.",
                                       "db.EXAMPLE.", "root.example"};
    static const char *const others[] = {"",
                                         "localhost.evil.example",
                                         "127.0.0.1.evil.example",
                                         "[evil]",
                                         "[::1",
                                         "db.exam",
                                         "db.example.org",
                                         "other.exampl",
                                         "[]",
                                         "0x7f.1x",
                                         "example",
                                         "db.example:other.example",
                                         ".",
                                         "localhost.."};
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        assert_true(http_host_is_ours(ours[i], "other.example:root.example.:DB.example"));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(http_host_is_ours(others[i], "other.example:DB.example"));
    assert_false(http_host_is_ours("db.example", NULL));
    assert_false(http_host_is_ours("", ""));
}

/* What a text in chunks holds, taken byte by byte; code: what the taking ends with. */
static void assert_chunks(const char *text, const char *wanted, int code)
{
    struct http_chunks c = {.left = 0};
    struct buffer out = {0};
    int r = 0;
    for (const char *p = text; *p && r == 0; p++)
        r = http_chunks_take(&c, p, 1, 10, &out);
    assert_int_equal(r, code);
    assert_int_equal(c.at == CHUNK_END, code == 0);
    if (code == 0) {
        assert_int_equal(out.n, strlen(wanted));
        assert_memory_equal(out.p, wanted, out.n);
    }
    buffer_free(&out);
}

static void test_chunks(void **arg)
{
    (void)arg;
    assert_chunks("0\r\n\r\n", "", 0);
    assert_chunks("3\r\nabc\r\n0A;name=\"value\"\r\nd", "", -EFBIG);
    assert_chunks("3\r\nabc\r\n007\ndefghij\n000\nTrailer: a\r\nB: c\n\n", "abcdefghij", 0);
    assert_chunks("\r\n", "", -EBADMSG);
    assert_chunks("x\r\n", "", -EBADMSG);
    assert_chunks("1\r\nab", "", -EBADMSG);
    assert_chunks("1\r\na\r\r\n", "", -EBADMSG);
    assert_chunks("0000000000000001\r\na", "", -EBADMSG);
    assert_chunks("fffffffffffffff\r\na", "", -EFBIG);
}

static void test_chunk_limits(void **arg)
{
    (void)arg;
    static const char start[] = "1;", last[] = "0\r\n";
    char many[10000];
    memset(many, 'x', sizeof(many));
    for (int i = 0; i < 2; i++) {
        struct http_chunks c = {.left = 0};
        struct buffer out = {0};
        const char *begin = i ? last : start;
        assert_int_equal(http_chunks_take(&c, begin, strlen(begin), 10, &out), 0);
        assert_int_equal(http_chunks_take(&c, many, sizeof(many), 10, &out), -EBADMSG);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),          cmocka_unit_test(test_post),
        cmocka_unit_test(test_from_page),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long),         cmocka_unit_test(test_control_bytes),
        cmocka_unit_test(test_host),         cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunk_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
