/* SPDX-License-Identifier: MIT */
/* The request of an HTTP/1.x client (RFC 9110, 9112): its head, and a body in chunks. Its bytes are
 * untrusted. Pure. */
#ifndef INFLUXFS_INFLUXSNAP_HTTP_REQUEST_H
#define INFLUXFS_INFLUXSNAP_HTTP_REQUEST_H

#include "store/base/buffer.h"
#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 16384u /* bytes of a head; a longer one is refused */

/* The field of the answers of `influxsnap serve` by which a client knows them: what the store is now,
 * also where nothing has changed. */
#define HTTP_OUR_FIELD "Influxfs-Snapshot"

enum http_status {
    HTTP_OK = 200,
    HTTP_NO_CONTENT = 204,
    HTTP_BAD_REQUEST = 400,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_REQUEST_TIMEOUT = 408,
    HTTP_CONFLICT = 409,
    HTTP_LENGTH_REQUIRED = 411,
    HTTP_CONTENT_TOO_LARGE = 413,
    HTTP_EXPECTATION_FAILED = 417,
    HTTP_HEAD_TOO_LARGE = 431,
    HTTP_SERVER_ERROR = 500,
    HTTP_NOT_IMPLEMENTED = 501,
    HTTP_UNAVAILABLE = 503,
    HTTP_VERSION_UNKNOWN = 505,
};

/* The words of its status line. */
const char *http_status_words(enum http_status status);

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };

struct http_request {
    enum http_method method;
    unsigned minor;      /* of its version, HTTP/1.minor */
    char line[128];      /* method and target for a log: printable, cut off where too long */
    char path[64];       /* of the target, without scheme, host and port; "" if it is longer */
    char host[300];      /* without port; an IPv6 address in brackets; "": the client names none */
    bool from_page;      /* a browser sends it on behalf of a page */
    bool expects_answer; /* the client waits for "100 Continue" before it sends the body */
    bool chunked;        /* the body comes in chunks; else it has `length` bytes, */
    bool has_length;     /* if the client says so */
    uint64_t length;
};

/* The length of the head that begins at p, with the empty line that ends it; 0: it has not come
 * whole yet. */
size_t http_head_end(const char *p, size_t n);

/* Reads a whole head. 0; or the status to refuse it with, and a message. *out may be printed from
 * as far as it was read, also then. */
int http_request_read(const char *head, size_t n, struct http_request *out, struct err *e);

/* Whether a client that asks for this host means this machine by it: an address, localhost, or one
 * of the names (separated by colons; NULL: none). A page of another site, whose name leads here
 * by its owner's will, would be asking for that name. */
bool http_host_is_ours(const char *host, const char *names);

/* Takes a body out of its chunks. Zeroed at first. */
struct http_chunks {
    enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_AFTER, CHUNK_TRAILER, CHUNK_END } at;
    uint64_t left;  /* of the chunk */
    size_t line;    /* bytes of the line that is being read, without its end */
    size_t trailer; /* bytes of trailers */
};

/* Appends the data among these n bytes to out, which gets `most` bytes at most. 0; -EBADMSG: no
 * chunks; -EFBIG: more data. at is CHUNK_END after the last one; bytes after it do not matter. */
int http_chunks_take(struct http_chunks *c, const char *p, size_t n, size_t most,
                     struct buffer *out);

#endif
