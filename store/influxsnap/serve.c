/* SPDX-License-Identifier: MIT */
/* influxsnap serve: answers one HTTP request on standard input and output with a snapshot. */
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/chaintext.h"
#include "store/influxsnap/connection.h"
#include "store/influxsnap/part.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/snap.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TARGET "/snapshot"
#define TIMEOUT_NS (60 * SECOND_NS)
#define BODY_MAX (64u << 20) /* manifests of some 400,000 files */
#define PIECE (1u << 20)
#define LAG ((uint64_t)256 << 20) /* of the checksums behind the reader */
#define DAMAGED_MOST 50           /* files that an answer names */
#define RETRY_S 5                 /* when a store that did not settle may have done so */

struct serving {
    struct snap *s;
    struct connection *client;
    struct http_request q;
    struct tarset chain; /* what the client has; may be empty */
    struct tarball *now;
    struct part part;
    size_t damaged; /* files named */
    int64_t began;
};

/* The request */

static int serve_check(const struct serving *v, struct err *e)
{
    const struct http_request *q = &v->q;
    if (q->from_page)
        return err_set(e, HTTP_FORBIDDEN, "no snapshots for pages in browsers");
    if (*q->host && !http_host_is_ours(q->host, v->s->o.allow_host))
        return err_set(e, HTTP_FORBIDDEN,
                       "asked for host %s: only addresses and localhost are answered, and what "
                       "influxsnap serve --allow-host names",
                       q->host);
    if (strcmp(q->path, TARGET) != 0)
        return err_set(e, HTTP_NOT_FOUND, "the only thing here is " TARGET);
    if (q->method == HTTP_OTHER)
        return err_set(e, HTTP_METHOD_NOT_ALLOWED, "takes GET, HEAD and POST");
    if (q->method == HTTP_POST && !q->has_length && !q->chunked)
        return err_set(e, HTTP_LENGTH_REQUIRED, "POST needs Content-Length, or chunks");
    return 0;
}

static int serve_read_chain(struct serving *v, struct err *e)
{
    cleanup(buffer_free) struct buffer text = {0};
    int r = connection_body(v->client, &v->q, BODY_MAX, &text, e);
    if (r || (text.n == 0 && v->q.method != HTTP_POST))
        return r;
    r = chaintext_read(text.p, text.n, &v->chain, e);
    if (r == -ESTALE)
        return HTTP_CONFLICT;
    if (r == -ENOMEM)
        return HTTP_UNAVAILABLE;
    return r < 0 ? HTTP_BAD_REQUEST : 0;
}

static int serve_capture(struct serving *v, struct err *e)
{
    int r = snap_open(v->s, SNAP_SNAPSHOTS, e);
    if (r == 0)
        r = snapshots_now(v->s->snapshots, &snap_reader, &v->now, e);
    if (r == 0 && v->s->lacks.text[0])
        snap_warn("%s; without it every snapshot computes all checksums again", v->s->lacks.text);
    if (r == 0)
        r = v->chain.n ? part_since(v->s->snapshots, v->now, &v->chain, false, &v->part, e)
                       : part_full(v->s->snapshots, v->now, &v->part, e);
    if (r < 0 && !e->text[0])
        err_sys(e, r, "the store");
    if (r == -EAGAIN || r == -EINTR || r == -ENOMEM || r == -ENFILE)
        return HTTP_UNAVAILABLE;
    return r < 0 ? HTTP_SERVER_ERROR : 0;
}

/* The answer */

static void add_line(struct buffer *head, const char *key, const char *value)
{
    buffer_string(head, key);
    buffer_string(head, ": ");
    buffer_string(head, value);
    buffer_string(head, "\r\n");
}

static void add_count(struct buffer *head, const char *key, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, n);
    add_line(head, key, text);
}

/* What every answer begins with. */
static void serve_begin_head(enum http_status status, struct buffer *head)
{
    char line[96], date[64];
    time_t t = (time_t)(time_wall_ns() / SECOND_NS);
    struct tm tm;
    snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", (int)status, http_status_words(status));
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
    buffer_string(head, line);
    add_line(head, "Date", date);
    add_line(head, "Server", "influxsnap/" INFLUXFS_VERSION);
    add_line(head, "Connection", "close");
    add_line(head, "Cache-Control", "no-store");
    add_line(head, "X-Content-Type-Options", "nosniff");
}

static int serve_send(struct serving *v, const struct buffer *b, struct err *e)
{
    return b->failed ? err_sys(e, -ENOMEM, "the answer")
                     : connection_write(v->client, b->p, b->n, e);
}

/* A line in the head for each file that is known to be damaged: err_set has made its text fit for
 * that. The manifest does not tell what was cut off a WAL segment. */
struct naming {
    struct serving *v;
    struct buffer *head;
};

static void name_damaged(void *arg, const char *words, bool whole)
{
    struct naming *n = arg;
    struct err line;
    err_set(&line, 0, "%s%s", words, whole ? "; it is in the snapshot as it is" : "");
    if (n->v->damaged++ < DAMAGED_MOST)
        add_line(n->head, "Influxfs-Damaged", line.text);
}

static int serve_pour(struct serving *v, struct err *e)
{
    struct tarball *t = v->part.tar;
    uint64_t size = tarball_size(t);
    autofree char *buf = malloc(PIECE);
    if (!buf)
        return err_sys(e, -ENOMEM, "the answer");
    for (uint64_t at = 0; at < size;) {
        /* A client that waited for all checksums at the end would take that for the end. */
        if (at >= 2 * LAG && at % LAG == 0) {
            int r = tarball_wait_sums(t, at - 2 * LAG, at - LAG, &snap_reader, e);
            if (r < 0)
                return r;
        }
        ssize_t n = tarball_read(t, buf, PIECE, at, &snap_reader, e);
        int r = n < 0 ? (int)n : connection_write(v->client, buf, (size_t)n, e);
        if (r < 0)
            return r;
        at += (uint64_t)n;
    }
    return 0;
}

static int serve_answer(struct serving *v, struct err *e)
{
    cleanup(buffer_free) struct buffer head = {0};
    struct naming naming = {v, &head};
    struct tarball *tar = v->part.tar;
    serve_begin_head(tar ? HTTP_OK : HTTP_NO_CONTENT, &head);
    int r = damage_tell(tarball_capture(v->now), name_damaged, &naming, e);
    if (r < 0)
        return HTTP_SERVER_ERROR;
    add_line(&head, HTTP_OUR_FIELD, capture_record(tarball_capture(v->now))->id);
    if (tar) {
        add_line(&head, "Content-Type", "application/x-tar");
        add_count(&head, "Content-Length", tarball_size(tar));
    }
    buffer_string(&head, "\r\n");
    r = serve_send(v, &head, e);
    if (r == 0 && tar && v->q.method != HTTP_HEAD)
        r = serve_pour(v, e);
    return r == 0 ? connection_finish(v->client, e) : r;
}

static int serve_refuse(struct serving *v, enum http_status status, const struct err *why,
                        struct err *e)
{
    cleanup(buffer_free) struct buffer head = {0};
    serve_begin_head(status, &head);
    add_line(&head, "Content-Type", "text/plain; charset=utf-8");
    add_count(&head, "Content-Length", strlen(why->text) + 1);
    if (status == HTTP_METHOD_NOT_ALLOWED)
        add_line(&head, "Allow", "GET, HEAD, POST");
    if (status == HTTP_UNAVAILABLE)
        add_count(&head, "Retry-After", RETRY_S);
    buffer_string(&head, "\r\n");
    if (v->q.method != HTTP_HEAD) {
        buffer_string(&head, why->text);
        buffer_string(&head, "\n");
    }
    int r = serve_send(v, &head, e);
    return r == 0 ? connection_finish(v->client, e) : r;
}

/* The run */

/* 0; the status of the refusal that is to be sent; or -errno. */
static int serve_run(struct serving *v, struct err *e)
{
    int r = connection_head(v->client, &v->q, e);
    if (r == 0)
        r = serve_check(v, e);
    if (r == 0)
        r = serve_read_chain(v, e);
    if (r == 0)
        r = serve_capture(v, e);
    return r ? r : serve_answer(v, e);
}

static const char *what(const struct serving *v)
{
    return !v->part.tar ? "nothing has changed" : v->chain.n ? "what has changed" : "everything";
}

/* One line for each request. Returns the exit code. */
static int serve_log(const struct serving *v, int status, int r, const struct err *e)
{
    double seconds = (double)(time_mono_ns() - v->began) / 1e9;
    const char *peer = connection_peer(v->client), *line = *v->q.line ? v->q.line : "no request";
    uint64_t n = connection_written(v->client);
    if (r == -ENODATA)
        return EXIT_DONE;
    if (r < 0)
        snap_say("%s: %s: cut off after %" PRIu64 " bytes, %.1f s: %s", peer, line, n, seconds,
                 e->text);
    else if (status)
        snap_say("%s: %s: %d, %" PRIu64 " bytes, %.1f s: %s", peer, line, status, n, seconds,
                 e->text);
    else
        snap_note("%s: %s: %s, %" PRIu64 " bytes, %.1f s", peer, line, what(v), n, seconds);
    return r < 0 || status >= HTTP_SERVER_ERROR ? EXIT_FAILED : EXIT_DONE;
}

/* What a client took whole, or has already, is a backup of this store, wherever it lies; one that was
 * promised it and did not get it, or was refused for no fault of its own, has a backup that failed. */
static void serve_remember(const struct serving *v, int status, int r, const struct err *why)
{
    struct capture *c = v->now ? tarball_capture(v->now) : NULL;
    const char *from = connection_address(v->client);
    const bool failed = r < 0 || status;
    struct err lacks = {0};
    char what[128];
    if (v->q.method == HTTP_HEAD || (status ? status < HTTP_SERVER_ERROR : !c))
        return;
    if (!failed)
        damage_say_lacks(c, &lacks);
    snprintf(what, sizeof(what), "a client of influxsnap serve%s%s", *from ? ", " : "", from);
    const struct history_entry end = {
        .result = failed          ? HISTORY_FAILED
                  : lacks.text[0] ? HISTORY_OMISSIONS
                                  : HISTORY_DONE,
        .bytes = connection_written(v->client),
        .what = what,
        .id = c ? capture_record(c)->id : NULL,
        .text = failed          ? why->text
                : lacks.text[0] ? lacks.text
                                : NULL,
    };
    remember(v->s, HISTORY_BACKUP, v->began, &end);
}

/* inetd(8) makes standard error the socket as well: lines there would be taken for the answer. */
static void serve_part_stderr(void)
{
    struct stat out, errors;
    if (fstat(STDOUT_FILENO, &out) < 0 || fstat(STDERR_FILENO, &errors) < 0 ||
        !S_ISSOCK(out.st_mode) || out.st_dev != errors.st_dev || out.st_ino != errors.st_ino)
        return;
    autoclose int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
}

int snap_serve(struct snap *s)
{
    struct err e = {0}, gone = {0};
    struct serving v = {.s = s, .began = time_mono_ns()};
    int64_t timeout = s->o.timeout_ns ? s->o.timeout_ns : TIMEOUT_NS;
    serve_part_stderr();
    int r = connection_open(STDIN_FILENO, STDOUT_FILENO, timeout, &v.client);
    if (r < 0)
        return snap_fail(r, &e);
    r = serve_run(&v, &e);
    int status = r > 0 ? r : 0;
    if (status)
        r = serve_refuse(&v, (enum http_status)status, &e, &gone);
    /* A client that hangs up at the first bytes of a refusal was refused all the same. */
    if (status && (r == -ECONNRESET || r == -EPIPE)) {
        r = 0;
        gone = (struct err){0};
    }
    const struct err *why = gone.text[0] ? &gone : &e;
    int code = serve_log(&v, status, r < 0 ? r : 0, why);
    serve_remember(&v, status, r, why);
    part_clear(&v.part);
    tarball_unref(v.now);
    tarset_clear(&v.chain);
    connection_close(v.client);
    return code;
}
