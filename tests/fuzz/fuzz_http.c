/* SPDX-License-Identifier: MIT */
/* http_request: any bytes are a request, or are refused with a status; a body comes out of its
 * chunks in the same way, however they are cut into pieces. */
#include "store/influxsnap/http_request.h"
#include "tests/fuzz/fuzz.h"

#define MOST 1000

static size_t check_head(const char *p, size_t n)
{
    struct http_request r;
    struct err e = {""};
    size_t end = http_head_end(p, n);
    must(end <= n && (!end || http_head_end(p, end - 1) == 0));
    int status = http_request_read(p, end ? end : n, &r, &e);
    must(status == 0 || (status >= 400 && status < 600));
    must((status == 0) == !e.text[0]);
    must(strcmp(http_status_words((enum http_status)(status ? status : 200)), "Unknown") != 0);
    must(strlen(r.line) < sizeof(r.line) && strlen(r.path) < sizeof(r.path));
    must(strlen(r.host) < sizeof(r.host));
    for (const char *c = r.line; *c; c++)
        must((unsigned char)*c >= ' ' && *c != 0x7f);
    if (status == 0) {
        must(r.minor == 0 || *r.host);
        must(!r.chunked || !r.has_length);
        must(!r.expects_answer || r.minor > 0);
    }
    must(http_host_is_ours(r.host, r.host) == (*r.host && !strchr(r.host, ':')) ||
         http_host_is_ours(r.host, NULL));
    return end;
}

static int take(const char *p, size_t n, size_t piece, struct http_chunks *c, struct buffer *out)
{
    int r = 0;
    *c = (struct http_chunks){.left = 0};
    for (size_t at = 0; r == 0 && at < n; at += piece)
        r = http_chunks_take(c, p + at, n - at < piece ? n - at : piece, MOST, out);
    must(r == 0 || r == -EBADMSG || r == -EFBIG);
    must(out->n <= MOST);
    return r;
}

static void check_chunks(const char *p, size_t n, size_t piece)
{
    struct http_chunks a, b;
    struct buffer whole = {0}, pieces = {0};
    int r = take(p, n, n ? n : 1, &a, &whole);
    must(take(p, n, piece, &b, &pieces) == r);
    must(whole.n == pieces.n && (whole.n == 0 || memcmp(whole.p, pieces.p, whole.n) == 0));
    must(a.at == b.at && a.left == b.left);
    buffer_free(&whole);
    buffer_free(&pieces);
}

/* In chunks of that size, and out of them again. */
static void check_round_trip(const char *p, size_t n, size_t size)
{
    struct http_chunks c;
    struct buffer text = {0}, out = {0};
    n = n < MOST ? n : MOST;
    for (size_t at = 0; at < n; at += size) {
        char head[32];
        size_t k = n - at < size ? n - at : size;
        snprintf(head, sizeof(head), at % 2 ? "%zX;a=b\r\n" : "%zx\n", k);
        buffer_string(&text, head);
        buffer_add(&text, p + at, k);
        buffer_string(&text, "\r\n");
    }
    buffer_string(&text, "0\r\nA: b\r\n\r\nnext");
    must(take(text.p, text.n, 7, &c, &out) == 0 && c.at == CHUNK_END);
    must(out.n == n && (n == 0 || memcmp(out.p, p, n) == 0));
    buffer_free(&text);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    size_t piece = data[0] % 16 + 1;
    const char *p = (const char *)data + 1;
    size_t end = check_head(p, --n);
    check_chunks(p + end, n - end, piece);
    check_round_trip(p, n, piece);
    return 0;
}
