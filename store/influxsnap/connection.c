/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/connection.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/snap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TLS_HELLO 0x16                  /* the first byte of a client of https */
#define LEAST_RATE 1024                 /* bytes of a request a second */
#define SLICE_NS (100 * MILLISECOND_NS) /* of a wait, after which the world is looked at again */
#define PARTING_NS (2 * SECOND_NS)      /* for a client to close after its answer */

struct connection {
    int in, out;
    bool socket; /* out is one */
    char peer[128], address[64];
    int64_t timeout, began;
    uint64_t received, written;
    /* What has been received and not used: */
    char buf[HTTP_HEAD_MAX];
    size_t at, end;
    /* Progress of the answer: */
    int queued;    /* bytes that the kernel still held at the last look */
    int64_t moved; /* when any of them last went */
};

static bool is_socket(int fd)
{
    int type;
    socklen_t n = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
}

static void connection_name_peer(struct connection *c)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage space;
    } a = {.any.sa_family = AF_UNSPEC};
    char text[INET6_ADDRSTRLEN] = "?";
    struct ucred user;
    socklen_t n = sizeof(a), nuser = sizeof(user);
    snprintf(c->peer, sizeof(c->peer), "standard input");
    if (getpeername(c->in, &a.any, &n) < 0)
        return;
    if (a.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a.four.sin_addr, text, sizeof(text));
        snprintf(c->address, sizeof(c->address), "%s", text);
        snprintf(c->peer, sizeof(c->peer), "%s:%u", text, ntohs(a.four.sin_port));
    } else if (a.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a.six.sin6_addr, text, sizeof(text));
        snprintf(c->address, sizeof(c->address), "%s", text);
        snprintf(c->peer, sizeof(c->peer), "[%s]:%u", text, ntohs(a.six.sin6_port));
    } else if (getsockopt(c->in, SOL_SOCKET, SO_PEERCRED, &user, &nuser) == 0 && user.pid > 0) {
        snprintf(c->peer, sizeof(c->peer), "uid %u, process %d", user.uid, (int)user.pid);
        snprintf(c->address, sizeof(c->address), "uid %u", user.uid);
    }
}

int connection_open(int in, int out, int64_t timeout, struct connection **out_connection)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->in = in;
    c->out = out;
    c->socket = is_socket(out);
    c->timeout = timeout;
    c->began = c->moved = time_mono_ns();
    connection_name_peer(c);
    *out_connection = c;
    return 0;
}

void connection_close(struct connection *c)
{
    free(c);
}

const char *connection_peer(const struct connection *c)
{
    return c->peer;
}

const char *connection_address(const struct connection *c)
{
    return c->address;
}

uint64_t connection_written(const struct connection *c)
{
    return c->written;
}

/* Waits for at most a slice, and not after the deadline. 1: ready; 0: not yet; -EINTR. */
static int wait_slice(int fd, short events, int64_t left)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t slice = left < SLICE_NS ? left : SLICE_NS;
    if (snap_stopped(NULL))
        return -EINTR;
    int n = poll(&p, 1, (int)(slice / MILLISECOND_NS) + 1);
    if (n < 0 && errno != EINTR)
        return -errno;
    return n > 0;
}

/* The request */

/* Reads more into buf, which has space. 0; -ENODATA at the end; else as the header says. */
static int connection_fill(struct connection *c, struct err *e)
{
    int r = 0;
    while (r == 0) {
        int64_t grace = (int64_t)(c->received * (SECOND_NS / LEAST_RATE));
        int64_t left = c->began + c->timeout + grace - time_mono_ns();
        if (left <= 0)
            return err_set(e, HTTP_REQUEST_TIMEOUT, "the request did not come in time");
        r = wait_slice(c->in, POLLIN, left);
    }
    ssize_t n = r < 0 ? r : read(c->in, c->buf + c->end, sizeof(c->buf) - c->end);
    if (n < 0)
        return err_sys(e, r < 0 ? r : -errno, "reading the request");
    if (n == 0)
        return err_set(e, -ENODATA, "the client closed before its request was whole");
    c->end += (size_t)n;
    c->received += (uint64_t)n;
    return 0;
}

int connection_head(struct connection *c, struct http_request *out, struct err *e)
{
    size_t n;
    *out = (struct http_request){.method = HTTP_OTHER};
    while ((n = http_head_end(c->buf, c->end)) == 0) {
        if (c->end == sizeof(c->buf))
            return err_set(e, HTTP_HEAD_TOO_LARGE, "the head of a request has at most %u bytes",
                           HTTP_HEAD_MAX);
        int r = connection_fill(c, e);
        if (r == -ENODATA && c->received)
            return err_set(e, -ECONNRESET, "the client closed before its request was whole");
        if (r)
            return r;
        if (c->buf[0] == TLS_HELLO)
            return err_set(e, HTTP_BAD_REQUEST,
                           "no TLS is spoken here: ask with http://, or through a proxy that does");
    }
    c->at = n;
    return http_request_read(c->buf, n, out, e);
}

/* Makes sure that there are bytes at c->at. */
static int connection_more(struct connection *c, struct err *e)
{
    if (c->at < c->end)
        return 0;
    c->at = c->end = 0;
    int r = connection_fill(c, e);
    return r == -ENODATA ? -ECONNRESET : r;
}

static int too_large(size_t most, struct err *e)
{
    return err_set(e, HTTP_CONTENT_TOO_LARGE, "takes at most %zu bytes", most);
}

static int connection_chunks(struct connection *c, size_t most, struct buffer *out, struct err *e)
{
    struct http_chunks chunks = {.left = 0};
    while (chunks.at != CHUNK_END) {
        int r = connection_more(c, e);
        if (r)
            return r;
        r = http_chunks_take(&chunks, c->buf + c->at, c->end - c->at, most, out);
        c->at = c->end;
        if (r == -EFBIG)
            return too_large(most, e);
        if (r < 0)
            return err_set(e, HTTP_BAD_REQUEST, "the chunks of the body are damaged");
    }
    return 0;
}

int connection_body(struct connection *c, const struct http_request *r, size_t most,
                    struct buffer *out, struct err *e)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (r->has_length && r->length > most)
        return too_large(most, e);
    int code = 0;
    if (r->expects_answer && c->at == c->end)
        code = connection_write(c, go_on, sizeof(go_on) - 1, e);
    if (code == 0 && r->chunked)
        code = connection_chunks(c, most, out, e);
    for (uint64_t left = r->chunked ? 0 : r->length; code == 0 && left > 0;) {
        if ((code = connection_more(c, e)))
            break;
        size_t have = c->end - c->at, n = have < left ? have : (size_t)left;
        buffer_add(out, c->buf + c->at, n);
        c->at += n;
        left -= n;
    }
    if (code == 0 && out->failed)
        code = err_set(e, HTTP_UNAVAILABLE, "out of memory");
    return code;
}

/* The answer */

/* Looks at what the kernel has not passed on yet. -ETIMEDOUT: none of it has gone for too long. */
static int connection_look(struct connection *c, int64_t *left, struct err *e)
{
    int queued = 0;
    if (c->socket && ioctl(c->out, SIOCOUTQ, &queued) < 0)
        queued = 0;
    int64_t now = time_mono_ns();
    if (queued < c->queued)
        c->moved = now;
    c->queued = queued;
    *left = c->moved + c->timeout - now;
    return *left > 0 ? 0
                     : err_set(e, -ETIMEDOUT, "the client took nothing for %lld s",
                               (long long)(c->timeout / SECOND_NS));
}

static int connection_wait(struct connection *c, struct err *e)
{
    int64_t left;
    int r = 0;
    while (r == 0) {
        if ((r = connection_look(c, &left, e)) < 0)
            return r;
        r = wait_slice(c->out, POLLOUT, left);
    }
    return r < 0 ? err_sys(e, r, "answering") : 0;
}

/* Until the kernel has passed on everything. A poll would not wait where the client has closed its
 * half already. */
static int connection_drain(struct connection *c, struct err *e)
{
    int64_t pause = MILLISECOND_NS, left;
    for (;;) {
        int r = connection_look(c, &left, e);
        if (c->queued == 0 || r < 0)
            return c->queued == 0 ? 0 : r;
        struct timespec t = time_to_spec(pause);
        int code = 0;
        socklen_t n = sizeof(code);
        getsockopt(c->out, SOL_SOCKET, SO_ERROR, &code, &n);
        if (code || snap_stopped(NULL))
            return err_sys(e, code ? -code : -EINTR, "answering");
        nanosleep(&t, NULL);
        pause = pause * 2 < SLICE_NS ? pause * 2 : SLICE_NS;
    }
}

/* Never blocks: after a wait, a pipe takes PIPE_BUF bytes. */
static ssize_t put(const struct connection *c, const char *buf, size_t n)
{
    if (c->socket)
        return send(c->out, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(c->out, buf, n < PIPE_BUF ? n : PIPE_BUF);
}

int connection_write(struct connection *c, const void *buf, size_t n, struct err *e)
{
    c->moved = time_mono_ns(); /* what we did since the last write took our own time */
    for (const char *p = buf, *end = p + n; p < end;) {
        int r = connection_wait(c, e);
        if (r < 0)
            return r;
        ssize_t k = put(c, p, (size_t)(end - p));
        if (k < 0 && errno != EAGAIN && errno != EINTR)
            return err_sys(e, -errno, "answering");
        if (k <= 0)
            continue;
        p += k;
        c->written += (uint64_t)k;
        c->moved = time_mono_ns();
        c->queued += (int)k;
    }
    return 0;
}

int connection_finish(struct connection *c, struct err *e)
{
    if (!c->socket)
        return 0;
    shutdown(c->out, SHUT_WR);
    int r = connection_drain(c, e);
    int64_t end = time_mono_ns() + PARTING_NS, left;
    bool open = r == 0;
    while (open && (left = end - time_mono_ns()) > 0) {
        int ready = wait_slice(c->in, POLLIN, left);
        open = ready >= 0 && (ready == 0 || read(c->in, c->buf, sizeof(c->buf)) > 0);
    }
    return r;
}
