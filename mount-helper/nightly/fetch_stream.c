/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_stream.h"

#include "mount-helper/nightly/fetch_set.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/restore/hash_worker.h"

#include <errno.h>
#include <string.h>

#define HELD (64u << 10) /* of the end; more than a tar has after its last file's bytes */
#define BLOCK (1u << 20)

static const char zeros[TAR_END];

struct fetch_stream {
    struct remote *remote;
    const char *folder, *day;
    const struct receipt *receipt;
    uint64_t size;

    /* The object at hand: */
    size_t object; /* its place in the receipt; nobjects: all have come */
    char *path;
    struct remote_reader *reader; /* NULL: not begun */
    struct hash_worker *sum;      /* while it reads on; NULL: not begun, or ended */

    /* What of a set's tar comes next from here: */
    const char *extra;
    size_t nextra;
    char head[TARHEAD_MAX];
    bool closed; /* its end has been given */

    bool ended; /* nothing more comes */
    bool spoilt;

    size_t given, have; /* bytes of buf: given out by the last call, in it */
    char buf[BLOCK + HELD];
};

static bool is_set(const struct fetch_stream *s)
{
    return s->receipt->form == RECEIPT_LEGACY;
}

int fetch_stream_new(struct remote *r, const char *folder, const struct receipt *c, const char *day,
                     struct fetch_stream **out, struct err *e)
{
    cleanup(fetch_stream_freep) struct fetch_stream *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "%s", folder);
    s->remote = r;
    s->folder = folder;
    s->day = day;
    s->receipt = c;
    s->size = receipt_bytes(c);
    int ret = is_set(s) ? fetch_set_size(c, &s->size) : 0;
    if (ret < 0)
        return err_sys(e, ret, "%s", folder);
    *out = steal_ptr(&s);
    return 0;
}

void fetch_stream_free(struct fetch_stream *s)
{
    if (!s)
        return;
    remote_read_close(s->reader);
    hash_worker_free(s->sum);
    free(s->path);
    free(s);
}

uint64_t fetch_stream_size(const struct fetch_stream *s)
{
    return s->size;
}

bool fetch_stream_spoilt(const struct fetch_stream *s)
{
    return s->spoilt;
}

static const struct receipt_object *object_of(const struct fetch_stream *s)
{
    return &s->receipt->objects[s->object];
}

static int fetch_stream_begin(struct fetch_stream *s, struct err *e)
{
    const struct receipt_object *o = object_of(s);
    free(s->path);
    s->path = path_join(s->folder, o->name);
    int r = !s->path ? -ENOMEM : s->sum ? 0 : hash_worker_new(&s->sum);
    if (r < 0)
        return err_sys(e, r, "%s", o->name);
    hash_worker_begin(s->sum);
    if (!is_set(s))
        return 0;
    int n = fetch_set_head(s->receipt, o, s->head);
    s->extra = s->head;
    s->nextra = n < 0 ? 0 : (size_t)n;
    return n < 0 ? err_sys(e, n, "%s", s->path) : 0;
}

/* After the last byte. */
static int fetch_stream_check(struct fetch_stream *s, struct err *e)
{
    const struct receipt_object *o = object_of(s);
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    hash_worker_end(s->sum, sum);
    sha256_hex(sum, hex);
    if (strcmp(hex, o->sha256) != 0)
        return err_set(e, -EBADMSG,
                       "the archive of %s is not good: %s%s%s: damaged: its SHA-256 is %s, and its "
                       "receipt says %s",
                       s->day, remote_name(s->remote), remote_slash(s->remote), s->path, hex,
                       o->sha256);
    return 0;
}

static int fetch_stream_next_object(struct fetch_stream *s, struct err *e)
{
    int r = fetch_stream_check(s, e);
    if (r < 0)
        return r;
    remote_read_close(s->reader);
    s->reader = NULL;
    free(s->path);
    s->path = NULL;
    if (is_set(s)) {
        s->extra = zeros;
        s->nextra = fetch_set_pad(object_of(s));
    }
    s->object++;
    return 0;
}

/* At least one byte, or 0: something else comes next. */
static ssize_t fetch_stream_read(struct fetch_stream *s, char *to, size_t room, struct err *e)
{
    struct err why = {0};
    int r =
        s->reader ? 0 : remote_read_open(s->remote, s->path, object_of(s)->size, &s->reader, &why);
    ssize_t n = r < 0 ? r : remote_read(s->reader, to, room, &why);
    if (n == -ENOENT || n == -EBADMSG)
        return err_set(e, -EBADMSG, "the archive of %s is not good: %s", s->day, why.text);
    if (n < 0)
        return err_set(e, (int)n, "%s", why.text);
    if (n == 0)
        return fetch_stream_next_object(s, e);
    hash_worker_add(s->sum, to, (size_t)n);
    return n;
}

static size_t fetch_stream_take_extra(struct fetch_stream *s, char *to, size_t room)
{
    const size_t n = s->nextra < room ? s->nextra : room;
    memcpy(to, s->extra, n);
    s->extra += n;
    s->nextra -= n;
    return n;
}

/* As fetch_stream_read. */
static ssize_t fetch_stream_more(struct fetch_stream *s, char *to, size_t room, struct err *e)
{
    if (s->nextra)
        return (ssize_t)fetch_stream_take_extra(s, to, room);
    if (s->path)
        return fetch_stream_read(s, to, room, e);
    if (s->object < s->receipt->nobjects)
        return fetch_stream_begin(s, e);
    if (is_set(s) && !s->closed) {
        s->closed = true;
        s->extra = zeros;
        s->nextra = TAR_END;
        return 0;
    }
    s->ended = true;
    hash_worker_free(steal_ptr(&s->sum));
    return 0;
}

/* Before the bytes that are being summed go. */
static void fetch_stream_settle(struct fetch_stream *s)
{
    if (s->sum)
        hash_worker_wait(s->sum);
}

ssize_t fetch_stream_pull(void *stream, const void **block, struct err *e)
{
    struct fetch_stream *s = stream;
    fetch_stream_settle(s);
    s->have -= s->given;
    memmove(s->buf, s->buf + s->given, s->have);
    s->given = 0;
    while (!s->ended && s->have < sizeof(s->buf)) {
        ssize_t n = fetch_stream_more(s, s->buf + s->have, sizeof(s->buf) - s->have, e);
        s->spoilt |= n == -EBADMSG;
        if (n < 0)
            return n;
        s->have += (size_t)n;
    }
    s->given = s->ended ? s->have : s->have - HELD;
    *block = s->buf;
    return (ssize_t)s->given;
}

ssize_t fetch_stream_peek(void *stream, const void **block, struct err *e)
{
    struct fetch_stream *s = stream;
    ssize_t n = 0;
    fetch_stream_settle(s);
    while (!s->ended && n == 0)
        n = fetch_stream_more(s, s->buf, sizeof(s->buf), e);
    *block = s->buf;
    return n;
}
