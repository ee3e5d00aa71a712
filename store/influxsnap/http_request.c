/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/http_request.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TRAILER_MAX 4096u

const char *http_status_words(enum http_status status)
{
    static const struct {
        enum http_status status;
        const char *words;
    } all[] = {
        {HTTP_OK, "OK"},
        {HTTP_NO_CONTENT, "No Content"},
        {HTTP_BAD_REQUEST, "Bad Request"},
        {HTTP_FORBIDDEN, "Forbidden"},
        {HTTP_NOT_FOUND, "Not Found"},
        {HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed"},
        {HTTP_REQUEST_TIMEOUT, "Request Timeout"},
        {HTTP_CONFLICT, "Conflict"},
        {HTTP_LENGTH_REQUIRED, "Length Required"},
        {HTTP_CONTENT_TOO_LARGE, "Content Too Large"},
        {HTTP_EXPECTATION_FAILED, "Expectation Failed"},
        {HTTP_HEAD_TOO_LARGE, "Request Header Fields Too Large"},
        {HTTP_SERVER_ERROR, "Internal Server Error"},
        {HTTP_NOT_IMPLEMENTED, "Not Implemented"},
        {HTTP_UNAVAILABLE, "Service Unavailable"},
        {HTTP_VERSION_UNKNOWN, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (all[i].status == status)
            return all[i].words;
    return "Unknown";
}

/* A part of the head. */
struct text {
    const char *p;
    size_t n;
};

static bool is(struct text t, const char *word)
{
    return strlen(word) == t.n && strncasecmp(t.p, word, t.n) == 0;
}

static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!isalnum((unsigned char)t.p[i]) && (!t.p[i] || !strchr("!#$%&'*+-.^_`|~", t.p[i])))
            return false;
    return t.n > 0;
}

static struct text trimmed(struct text t)
{
    while (t.n && (*t.p == ' ' || *t.p == '\t')) {
        t.p++;
        t.n--;
    }
    while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
        t.n--;
    return t;
}

/* Copies a text with a NUL; "" if it is too long. */
static void copy(struct text t, char *out, size_t size)
{
    size_t n = t.n < size ? t.n : 0;
    memcpy(out, t.p, n);
    out[n] = 0;
}

/* The next line, without its end, which is LF or CRLF; the rest stays. */
static struct text next_line(struct text *rest)
{
    const char *lf = memchr(rest->p, '\n', rest->n);
    struct text line = {rest->p, lf ? (size_t)(lf - rest->p) : rest->n};
    size_t taken = line.n + (lf ? 1 : 0);
    rest->p += taken;
    rest->n -= taken;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* Empty lines before a request do not count. */
static size_t leading(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == '\n' || (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n')))
        i++;
    return i;
}

size_t http_head_end(const char *p, size_t n)
{
    size_t i = leading(p, n);
    if (i == n)
        return 0;
    for (const char *lf; (lf = memchr(p + i, '\n', n - i)); i = (size_t)(lf - p) + 1) {
        const char *next = lf + 1, *end = p + n;
        if (next < end && *next == '\n')
            return (size_t)(next - p) + 1;
        if (next + 1 < end && next[0] == '\r' && next[1] == '\n')
            return (size_t)(next - p) + 2;
    }
    return 0;
}

static bool is_address6(struct text t)
{
    unsigned char address[sizeof(struct in6_addr)];
    char inner[INET6_ADDRSTRLEN];
    if (t.n < 3 || t.n - 2 >= sizeof(inner) || t.p[0] != '[' || t.p[t.n - 1] != ']')
        return false;
    copy((struct text){t.p + 1, t.n - 2}, inner, sizeof(inner));
    return inet_pton(AF_INET6, inner, address) == 1;
}

/* HOST or HOST:PORT, where an address of IPv6 stands in brackets. */
static bool http_read_host(struct text t, struct http_request *r)
{
    const char *end = t.p + t.n, *colon = NULL;
    if (t.n && *t.p == '[') {
        const char *closed = memchr(t.p, ']', t.n);
        colon = closed ? closed + 1 : end;
        if (!is_address6((struct text){t.p, (size_t)(colon - t.p)}) ||
            (colon < end && *colon != ':'))
            return false;
    } else {
        colon = t.n ? memchr(t.p, ':', t.n) : NULL;
        colon = colon ? colon : end;
    }
    for (const char *p = colon + 1; p < end; p++)
        if (!isdigit((unsigned char)*p))
            return false;
    copy((struct text){t.p, (size_t)(colon - t.p)}, r->host, sizeof(r->host));
    return *r->host != 0;
}

/* "/path", or "http://host:port/path", as a proxy is asked. */
static bool http_read_target(struct text t, struct http_request *r)
{
    const char scheme[] = "http://";
    if (t.n >= sizeof(scheme) - 1 && strncasecmp(t.p, scheme, sizeof(scheme) - 1) == 0) {
        t.p += sizeof(scheme) - 1;
        t.n -= sizeof(scheme) - 1;
        const char *slash = memchr(t.p, '/', t.n);
        size_t n = slash ? (size_t)(slash - t.p) : t.n;
        if (!http_read_host((struct text){t.p, n}, r))
            return false;
        t.p += n;
        t.n -= n;
    }
    copy(t, r->path, sizeof(r->path));
    return true;
}

/* Method, target and version, with one space between them. */
static int http_read_line(struct text line, struct http_request *r, struct err *e)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"}; /* as in enum http_method */
    const char *one = memchr(line.p, ' ', line.n), *two = memrchr(line.p, ' ', line.n);
    struct err shown;
    err_set(&shown, 0, "%.*s", (int)(two ? two - line.p : (ptrdiff_t)line.n), line.p);
    snprintf(r->line, sizeof(r->line), "%.127s", shown.text);
    if (!one || one == two)
        return err_set(e, HTTP_BAD_REQUEST, "the request has no method, target and version");
    struct text method = {line.p, (size_t)(one - line.p)};
    struct text target = {one + 1, (size_t)(two - one - 1)};
    struct text version = {two + 1, (size_t)(line.p + line.n - two - 1)};
    r->method = HTTP_OTHER;
    for (int i = 0; i < HTTP_OTHER; i++)
        if (strlen(methods[i]) == method.n && memcmp(methods[i], method.p, method.n) == 0)
            r->method = (enum http_method)i;
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= ' ' || target.p[i] == 0x7f)
            return err_set(e, HTTP_BAD_REQUEST, "the target of the request is damaged");
    if (!is_token(method) || !target.n)
        return err_set(e, HTTP_BAD_REQUEST, "the method of the request is damaged");
    if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0 ||
        !isdigit((unsigned char)version.p[5]) || version.p[6] != '.' ||
        !isdigit((unsigned char)version.p[7]))
        return err_set(e, HTTP_BAD_REQUEST, "the version of the request is damaged");
    if (version.p[5] != '1')
        return err_set(e, HTTP_VERSION_UNKNOWN, "speaks HTTP/1.0 and HTTP/1.1 only");
    r->minor = (unsigned)(version.p[7] - '0');
    return http_read_target(target, r) ? 0
                                       : err_set(e, HTTP_BAD_REQUEST, "the target names no host");
}

static int http_read_length(struct text v, struct http_request *r, struct err *e)
{
    uint64_t n = 0;
    bool good = v.n > 0 && v.n < 19 && !r->has_length;
    for (size_t i = 0; i < v.n; i++) {
        good &= isdigit((unsigned char)v.p[i]) != 0;
        n = n * 10 + (unsigned char)v.p[i] - '0';
    }
    r->has_length = true;
    r->length = n;
    return good ? 0 : err_set(e, HTTP_BAD_REQUEST, "Content-Length is damaged, or stands twice");
}

/* One field. hosts counts fields Host. */
static int http_read_field(struct text name, struct text v, struct http_request *r, unsigned *hosts,
                           struct err *e)
{
    if (is(name, "Content-Length"))
        return http_read_length(v, r, e);
    if (is(name, "Transfer-Encoding")) {
        if (!is(v, "chunked") || r->chunked)
            return err_set(e, HTTP_NOT_IMPLEMENTED, "takes no Transfer-Encoding but chunked");
        r->chunked = true;
    } else if (is(name, "Expect")) {
        if (!is(v, "100-continue"))
            return err_set(e, HTTP_EXPECTATION_FAILED, "takes no Expect but 100-continue");
        r->expects_answer = r->minor > 0;
    } else if (is(name, "Host")) {
        /* A target that names a host counts more. */
        struct http_request other = *r;
        if (++*hosts > 1 || !http_read_host(v, *r->host ? &other : r))
            return err_set(e, HTTP_BAD_REQUEST, "Host is damaged, empty, or stands twice");
    } else if (is(name, "Origin") || (is(name, "Sec-Fetch-Site") && !is(v, "none"))) {
        r->from_page = true;
    }
    return 0;
}

int http_request_read(const char *head, size_t n, struct http_request *out, struct err *e)
{
    size_t skipped = leading(head, n);
    struct text rest = {head + skipped, n - skipped};
    unsigned hosts = 0;
    *out = (struct http_request){.method = HTTP_OTHER};
    int r = http_read_line(next_line(&rest), out, e);
    while (r == 0 && rest.n) {
        struct text line = next_line(&rest);
        if (!line.n)
            break;
        const char *colon = memchr(line.p, ':', line.n);
        struct text name = {line.p, colon ? (size_t)(colon - line.p) : 0};
        bool good = is_token(name);
        for (size_t i = name.n; i < line.n; i++)
            good &= (unsigned char)line.p[i] >= ' ' ? line.p[i] != 0x7f : line.p[i] == '\t';
        if (!good)
            return err_set(e, HTTP_BAD_REQUEST, "a field of the request's head is damaged");
        struct text v = trimmed((struct text){colon + 1, line.n - name.n - 1});
        r = http_read_field(name, v, out, &hosts, e);
    }
    if (r == 0 && out->minor > 0 && hosts == 0)
        r = err_set(e, HTTP_BAD_REQUEST, "a request of HTTP/1.1 needs Host");
    if (r == 0 && out->chunked && out->has_length)
        r = err_set(e, HTTP_BAD_REQUEST, "has both Content-Length and chunks");
    return r;
}

/* A name may end with the dot of the root of all names. */
static struct text without_root(struct text name)
{
    name.n -= name.n > 1 && name.p[name.n - 1] == '.';
    return name;
}

bool http_host_is_ours(const char *host, const char *names)
{
    unsigned char address[sizeof(struct in_addr)];
    size_t n = strlen(host);
    const struct text whole = {host, n}, asked = without_root(whole);
    if (is(asked, "localhost") || inet_pton(AF_INET, host, address) == 1 || is_address6(whole))
        return true;
    for (const char *p = names; p && n; p = *p ? p + 1 : NULL) {
        size_t len = strcspn(p, ":");
        const struct text ours = without_root((struct text){p, len});
        if (ours.n == asked.n && strncasecmp(ours.p, asked.p, asked.n) == 0)
            return true;
        p += len;
    }
    return false;
}

/* The body in chunks */

static int hex(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* A byte of the line that gives the size of a chunk. */
static int http_chunks_take_size(struct http_chunks *c, char byte)
{
    int digit = hex(byte);
    if (c->at == CHUNK_SIZE && digit >= 0) {
        c->left = c->left * 16 + (uint64_t)digit;
        return ++c->line > 15 ? -EBADMSG : 0;
    }
    if (c->line == 0)
        return -EBADMSG;
    if (byte == '\n') {
        c->at = c->left ? CHUNK_DATA : CHUNK_TRAILER;
        c->line = 0;
        return 0;
    }
    c->at = CHUNK_EXTENSION;
    return ++c->line > TRAILER_MAX ? -EBADMSG : 0;
}

/* A byte of what follows the last chunk: lines up to an empty one. */
static int http_chunks_take_trailer(struct http_chunks *c, char byte)
{
    if (byte == '\n' && c->line == 0)
        c->at = CHUNK_END;
    else if (byte == '\n')
        c->line = 0;
    else if (byte != '\r')
        c->line++;
    return ++c->trailer > TRAILER_MAX ? -EBADMSG : 0;
}

/* A byte of the end of line that follows the data of a chunk. */
static int http_chunks_take_after(struct http_chunks *c, char byte)
{
    if (byte == '\n')
        c->at = CHUNK_SIZE;
    else if (byte != '\r' || ++c->line > 1)
        return -EBADMSG;
    if (byte == '\n')
        c->line = 0;
    return 0;
}

int http_chunks_take(struct http_chunks *c, const char *p, size_t n, size_t most,
                     struct buffer *out)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n && c->at != CHUNK_END;) {
        if (c->at == CHUNK_DATA) {
            size_t k = n - i < c->left ? n - i : (size_t)c->left;
            if (c->left > most - out->n)
                return -EFBIG;
            buffer_add(out, p + i, k);
            i += k;
            c->left -= k;
            c->at = c->left ? CHUNK_DATA : CHUNK_AFTER;
            continue;
        }
        char byte = p[i++];
        r = c->at == CHUNK_TRAILER ? http_chunks_take_trailer(c, byte)
            : c->at == CHUNK_AFTER ? http_chunks_take_after(c, byte)
                                   : http_chunks_take_size(c, byte);
    }
    return r;
}
