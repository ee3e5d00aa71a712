/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/download.h"

#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/http_request.h"
#include "store/influxsnap/snap.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT "8087"
#define TARGET "/snapshot"
#define LEN(text) (sizeof(text) - 1)
#define HELD_MOST (1u << 20) /* bytes that have come and were not pulled */
#define FIELDS_MOST 100
#define SLICE_MS 200

struct download {
    char *name, *url, *unix_path;
    bool told_password; /* it stands in host */
    bool ours;          /* influxsnap serve answers */
    CURL *easy;
    CURLM *multi;
    struct curl_slist *head; /* of the request */
    char why[CURL_ERROR_SIZE];
    struct buffer come;  /* not pulled yet */
    struct buffer given; /* what the last pull gave */
    bool paused, ended;
    CURLcode code; /* after the end */
    char **damaged;
    size_t ndamaged;
    int64_t timeout, moved; /* when a byte last came or went */
    curl_off_t up, down;
};

/* Where to */

static int download_read_part(CURLU *u, CURLUPart part, char **out)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(u, part, &text, 0);
    *out = code == CURLUE_OK ? strdup(text) : NULL;
    curl_free(text);
    return code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && !*out) ? -ENOMEM : 0;
}

/* The name is the URL without user and password. */
static int download_read_name(struct download *d, CURLU *u)
{
    autofree char *password = NULL;
    int r = download_read_part(u, CURLUPART_PASSWORD, &password);
    if (r < 0)
        return r;
    d->told_password = password != NULL;
    if (curl_url_set(u, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK)
        return -ENOMEM;
    return download_read_part(u, CURLUPART_URL, &d->name);
}

/* The URL: a path in it is the part of a proxy's that leads to the server, or all of it. */
static int download_read_url(struct download *d, CURLU *u)
{
    autofree char *path = NULL, *whole = NULL;
    int r = download_read_part(u, CURLUPART_PATH, &path);
    if (r < 0)
        return r;
    size_t n = path ? strlen(path) : 0;
    while (n && path[n - 1] == '/')
        n--;
    if (n >= LEN(TARGET) && strncmp(path + n - LEN(TARGET), TARGET, LEN(TARGET)) == 0)
        n -= LEN(TARGET);
    if (asprintf(&whole, "%.*s" TARGET, (int)n, path ? path : "") < 0)
        return -ENOMEM;
    if (curl_url_set(u, CURLUPART_PATH, whole, 0) != CURLUE_OK)
        return -ENOMEM;
    return download_read_part(u, CURLUPART_URL, &d->url);
}

/* Why it cannot be an address. */
static int download_refuse(const char *host, CURLUcode code, struct err *e)
{
    const char *colon = strchr(host, ':');
    if (code == CURLUE_BAD_PORT_NUMBER && colon && !strchr(colon + 1, ':'))
        return err_set(e, -EINVAL, "--host: a port is a number up to 65535");
    if (!strstr(host, "://") && !strchr(host, '[') && colon && strchr(colon + 1, ':'))
        return err_set(e, -EINVAL, "--host: an address with colons stands in brackets: [%s]", host);
    return err_set(e, -EINVAL, "--host is HOST[:PORT], http://HOST, https://HOST or unix:PATH");
}

static int download_read_address(struct download *d, const char *host, CURLU *u, struct err *e)
{
    autofree char *full = NULL;
    bool scheme = strstr(host, "://");
    if (asprintf(&full, "%s%s", scheme ? "" : "http://", host) < 0)
        return -ENOMEM;
    CURLUcode code = curl_url_set(u, CURLUPART_URL, full, 0);
    if (code != CURLUE_OK)
        return download_refuse(host, code, e);
    autofree char *kind = NULL, *port = NULL, *query = NULL;
    int r = download_read_part(u, CURLUPART_SCHEME, &kind);
    r = r ? r : download_read_part(u, CURLUPART_PORT, &port);
    r = r ? r : download_read_part(u, CURLUPART_QUERY, &query);
    if (r < 0)
        return r;
    if ((strcmp(kind, "http") != 0 && strcmp(kind, "https") != 0) || query)
        return download_refuse(host, CURLUE_OK, e);
    if (!scheme && !port && curl_url_set(u, CURLUPART_PORT, PORT, 0) != CURLUE_OK)
        return -ENOMEM;
    r = download_read_url(d, u);
    return r < 0 ? r : download_read_name(d, u);
}

static int download_find_host(struct download *d, const char *host, struct err *e)
{
    static const char unix_socket[] = "unix:";
    size_t n = sizeof(unix_socket) - 1;
    if (strncmp(host, unix_socket, n) == 0) {
        if (!host[n])
            return err_set(e, -EINVAL, "--host=unix: needs the path of a socket");
        d->name = strdup(host);
        d->url = strdup("http://localhost" TARGET);
        d->unix_path = strdup(host + n);
        return d->name && d->url && d->unix_path ? 0 : err_sys(e, -ENOMEM, "--host");
    }
    CURLU *u = curl_url();
    int r = u ? download_read_address(d, host, u, e) : -ENOMEM;
    curl_url_cleanup(u);
    return r < 0 && r != -EINVAL ? err_sys(e, r, "--host") : r;
}

/* What comes */

static size_t download_take_bytes(char *p, size_t one, size_t n, void *arg)
{
    struct download *d = arg;
    (void)one; /* is 1 */
    if (d->come.n >= HELD_MOST) {
        d->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buffer_add(&d->come, p, n);
    return d->come.failed ? 0 : n;
}

/* A line of the answer's head. */
static size_t download_take_field(char *p, size_t one, size_t n, void *arg)
{
    static const char key[] = "Influxfs-Damaged:", ours[] = HTTP_OUR_FIELD ":";
    struct download *d = arg;
    size_t len = LEN(key), end = n;
    (void)one;
    d->ours |= n > LEN(ours) && strncasecmp(p, ours, LEN(ours)) == 0;
    if (n < len || strncasecmp(p, key, len) != 0 || d->ndamaged == FIELDS_MOST)
        return n;
    while (end > len && strchr(" \r\n", p[end - 1]))
        end--;
    while (len < end && p[len] == ' ')
        len++;
    char *copy = strndup(p + len, end - len);
    if (!copy || !array_grow(&d->damaged, d->ndamaged)) {
        free(copy);
        return 0;
    }
    d->damaged[d->ndamaged++] = copy;
    return n;
}

static int download_fail(const struct download *d, struct err *e)
{
    curl_off_t size = 0, got = 0;
    const char *words = d->why[0] ? d->why : curl_easy_strerror(d->code);
    long code = 0;
    if (d->unix_path && curl_easy_getinfo(d->easy, CURLINFO_OS_ERRNO, &code) == CURLE_OK && code)
        words = strerror((int)code); /* libcurl's own would name a port */
    curl_easy_getinfo(d->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    curl_easy_getinfo(d->easy, CURLINFO_SIZE_DOWNLOAD_T, &got);
    if (got > 0 && size > 0 && got < size)
        return err_set(e, -EIO, "%s: the connection broke after %lld of %lld bytes (%s): try again",
                       d->name, (long long)got, (long long)size, words);
    return err_set(e, -EIO, "%s: %s%s", d->name, words,
                   d->code == CURLE_SSL_CONNECT_ERROR
                       ? "; influxsnap serve itself speaks no TLS: try http://"
                       : "");
}

static int download_note_progress(struct download *d, struct err *e)
{
    curl_off_t up = 0, down = 0;
    int64_t now = time_mono_ns();
    curl_easy_getinfo(d->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(d->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    if (up != d->up || down != d->down)
        d->moved = now;
    d->up = up;
    d->down = down;
    if (now - d->moved < d->timeout)
        return 0;
    return err_set(e, -ETIMEDOUT, "%s: no byte came for %lld s (--timeout)", d->name,
                   (long long)(d->timeout / SECOND_NS));
}

static void download_see_end(struct download *d)
{
    int more;
    for (CURLMsg *m; (m = curl_multi_info_read(d->multi, &more));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        d->ended = true;
        d->code = m->data.result;
    }
}

/* Works until bytes have come, or the answer has ended. */
static int download_work(struct download *d, struct err *e)
{
    if (d->paused && d->come.n == 0) {
        d->paused = false;
        curl_easy_pause(d->easy, CURLPAUSE_CONT);
    }
    while (d->come.n == 0 && !d->ended) {
        int running;
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        CURLMcode code = curl_multi_perform(d->multi, &running);
        download_see_end(d);
        if (code != CURLM_OK)
            return err_set(e, -EIO, "%s: %s", d->name, curl_multi_strerror(code));
        if (d->come.n || d->ended)
            break;
        int r = download_note_progress(d, e);
        if (r < 0)
            return r;
        curl_multi_poll(d->multi, NULL, 0, SLICE_MS, NULL);
    }
    return d->come.n == 0 && d->code != CURLE_OK ? download_fail(d, e) : 0;
}

ssize_t download_next(struct download *d, const void **block, struct err *e)
{
    d->moved = time_mono_ns(); /* what the caller did with the last bytes took its own time */
    int r = download_work(d, e);
    if (r < 0)
        return r;
    struct buffer empty = d->given;
    empty.n = 0;
    d->given = d->come;
    d->come = empty;
    *block = d->given.p;
    return (ssize_t)d->given.n;
}

/* The request */

static int download_prepare(struct download *d, const char *body, size_t n)
{
    CURL *c = d->easy = curl_easy_init();
    d->multi = curl_multi_init();
    d->head = curl_slist_append(NULL, "Accept: application/x-tar");
    if (!c || !d->multi || !d->head)
        return -ENOMEM;
    CURLcode bad = curl_easy_setopt(c, CURLOPT_URL, d->url);
    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, d->why);
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
    bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "influxsnap/" INFLUXFS_VERSION);
    bad |= curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
    bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(d->timeout / MILLISECOND_NS));
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, download_take_bytes);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, d);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, download_take_field);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, d);
    if (d->unix_path) {
        bad |= curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, d->unix_path);
        bad |= curl_easy_setopt(c, CURLOPT_PROXY, "");
    }
    if (body) {
        struct curl_slist *more = curl_slist_append(d->head, "Content-Type: application/json");
        if (!more)
            return -ENOMEM;
        bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
        bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    }
    bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, d->head);
    return bad || curl_multi_add_handle(d->multi, c) != CURLM_OK ? -ENOMEM : 0;
}

static int download_new(int64_t timeout, struct download **out)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    struct download *d = calloc(1, sizeof(*d));
    if (!d) {
        curl_global_cleanup();
        return -ENOMEM;
    }
    d->timeout = timeout;
    d->moved = time_mono_ns();
    *out = d;
    return 0;
}

int download_check_host(const char *host, struct err *e)
{
    cleanup(download_closep) struct download *d = NULL;
    int r = download_new(0, &d);
    return r < 0 ? err_sys(e, r, "--host") : download_find_host(d, host, e);
}

int download_open(const char *host, const char *body, size_t n, int64_t timeout,
                  struct download **out, struct err *e)
{
    cleanup(download_closep) struct download *d = NULL;
    int r = download_new(timeout, &d);
    if (r < 0)
        return err_sys(e, r, "--host");
    if ((r = download_find_host(d, host, e)) < 0)
        return r;
    if (d->told_password)
        snap_warn("--host holds a password, which others can see in the list of processes: "
                  "~/.netrc is the place for it");
    if ((r = download_prepare(d, body, n)) < 0)
        return err_sys(e, r, "%s", d->name);
    r = download_work(d, e);
    if (r == 0)
        *out = steal_ptr(&d);
    return r;
}

void download_close(struct download *d)
{
    if (!d)
        return;
    if (d->easy && d->multi)
        curl_multi_remove_handle(d->multi, d->easy);
    curl_easy_cleanup(d->easy);
    curl_multi_cleanup(d->multi);
    curl_slist_free_all(d->head);
    buffer_free(&d->come);
    buffer_free(&d->given);
    for (size_t i = 0; i < d->ndamaged; i++)
        free(d->damaged[i]);
    free(d->damaged);
    free(d->name);
    free(d->url);
    free(d->unix_path);
    free(d);
    curl_global_cleanup();
}

/* The answer */

const char *download_name(const struct download *d)
{
    return d->name;
}

long download_status(const struct download *d)
{
    long status = 0;
    curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

const char *download_type(const struct download *d)
{
    char *type = NULL;
    curl_easy_getinfo(d->easy, CURLINFO_CONTENT_TYPE, &type);
    return type ? type : "";
}

const char *download_leads_to(const struct download *d)
{
    char *url = NULL;
    curl_easy_getinfo(d->easy, CURLINFO_REDIRECT_URL, &url);
    return url;
}

bool download_is_ours(const struct download *d)
{
    return d->ours;
}

uint64_t download_size(const struct download *d)
{
    curl_off_t size = -1;
    curl_easy_getinfo(d->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    return size > 0 ? (uint64_t)size : 0;
}

const char *const *download_damaged(const struct download *d, size_t *n)
{
    *n = d->ndamaged;
    return (const char *const *)d->damaged;
}
