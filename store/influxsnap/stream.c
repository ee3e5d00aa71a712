/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/stream.h"

#include "store/base/cleanup.h"
#include "store/influxsnap/compressor.h"
#include "store/influxsnap/snap.h"

#include <errno.h>

struct stream {
    int fd;
    const char *name;
    uint64_t bytes;
    struct compressor *compressor; /* NULL: not compressed */
    struct buffer compressed;
};

static int failure(const struct stream *s, int code, struct err *e)
{
    if (code == -EINTR)
        return err_set(e, code, "interrupted");
    return err_sys(e, code, "%s", s->name);
}

/* Unlike io_write_all, gives up when the program is to stop: a pipe can block for ever. */
static int stream_write_all(struct stream *s, const char *buf, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t k = snap_stopped(NULL) ? -1 : write(s->fd, buf, n);
        if (snap_stopped(NULL))
            return failure(s, -EINTR, e);
        if (k < 0 && errno != EINTR)
            return failure(s, -errno, e);
        if (k > 0) {
            buf += k;
            n -= (size_t)k;
            s->bytes += (uint64_t)k;
        }
    }
    return 0;
}

/* Writes what the compressor has given. */
static int stream_flush(struct stream *s, struct err *e)
{
    int r = stream_write_all(s, s->compressed.p, s->compressed.n, e);
    s->compressed.n = 0;
    return r;
}

int stream_open(int fd, const char *name, enum compress how, struct stream **out, struct err *e)
{
    cleanup(stream_closep) struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "%s", name);
    s->fd = fd;
    s->name = name;
    int r = how == COMPRESS_NOT ? 0 : compressor_open(how, name, &s->compressor, e);
    if (r == 0)
        *out = steal_ptr(&s);
    return r;
}

int stream_write(struct stream *s, const void *buf, size_t n, struct err *e)
{
    if (!s->compressor)
        return stream_write_all(s, buf, n, e);
    int r = compressor_add(s->compressor, buf, n, &s->compressed, e);
    return r < 0 ? r : stream_flush(s, e);
}

int stream_end(struct stream *s, uint64_t *bytes, struct err *e)
{
    int r = s->compressor ? compressor_end(s->compressor, &s->compressed, e) : 0;
    if (r == 0)
        r = stream_flush(s, e);
    if (r == 0)
        *bytes = s->bytes;
    return r;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    compressor_close(s->compressor);
    buffer_free(&s->compressed);
    free(s);
}
