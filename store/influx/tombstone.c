/* SPDX-License-Identifier: MIT */
#include "store/influx/tombstone.h"

#include "store/base/cleanup.h"
#include "store/influx/bytes.h"
#include "store/influx/serieskey.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define MAGIC 4
#define VERSION_2 0x1502
#define VERSION_3 0x1503
#define VERSION_4 0x1504
#define KEY_MAX 65535
#define PIECE ((size_t)64 << 10)
/* Records are cut out of this; the largest one fits beside an unpacked piece. */
#define PLAIN (2 * (PIECE + KEY_MAX))

struct reader {
    const struct source *s;
    uint64_t at; /* of the bytes not read yet */
    tombstone_fn fn;
    void *ctx;
    struct err *e;
    bool lines;
    size_t nplain;
    uint8_t packed[PIECE];
    uint8_t plain[PLAIN];
};

static int bad(const struct reader *r, const char *what)
{
    return err_set(r->e, -EBADMSG, "%s: damaged at or before byte %" PRIu64 ": %s", r->s->name,
                   r->at, what);
}

/* Takes a record: 1, or 0 if it is incomplete. */
static int tombstone_record(struct reader *r, struct bytes *b)
{
    struct bytes in = *b;
    uint64_t len, min, max;
    const void *key;
    if (!bytes_be(&in, 4, &len))
        return 0;
    if (len == 0 || len > KEY_MAX)
        return bad(r, "a key of impossible length");
    if (!bytes_take(&in, len, &key) || !bytes_be(&in, 8, &min) || !bytes_be(&in, 8, &max))
        return 0;
    *b = in;
    int done = r->fn(r->ctx, key, (size_t)len, (int64_t)min, (int64_t)max);
    return done ? done : 1;
}

static int tombstone_line(struct reader *r, struct bytes *b, bool last)
{
    const uint8_t *end = memchr(b->p, '\n', b->n);
    if (!end && b->n > KEY_MAX)
        return bad(r, "a key of impossible length");
    if (b->n == 0 || (!end && !last))
        return 0;
    size_t len = end ? (size_t)(end - b->p) : b->n;
    const char *key = (const char *)b->p;
    bytes_skip(b, len + (end ? 1 : 0));
    if (len == 0)
        return 1;
    /* Other versions with damaged first bytes end up here. */
    if (len > KEY_MAX || memchr(key, '\0', len) ||
        !memmem(key, len, SERIESKEY_SEPARATOR, strlen(SERIESKEY_SEPARATOR)))
        return bad(r, "a line that is no key");
    int done = r->fn(r->ctx, key, len, INT64_MIN, INT64_MAX);
    return done ? done : 1;
}

/* Passes on the whole records and keeps the rest of plain for later. */
static int tombstone_take_all(struct reader *r, bool last)
{
    struct bytes b = {r->plain, r->nplain};
    int done;
    do
        done = r->lines ? tombstone_line(r, &b, last) : tombstone_record(r, &b);
    while (done == 1);
    if (done != 0)
        return done;
    if (last && b.n > 0)
        return bad(r, "it ends within a record");
    memmove(r->plain, b.p, b.n);
    r->nplain = b.n;
    return 0;
}

static int read_piece(struct reader *r, uint8_t *buf, size_t *n)
{
    uint64_t left = r->s->size - r->at;
    *n = left < PIECE ? (size_t)left : PIECE;
    int err = *n ? r->s->read(r->s->ctx, buf, *n, r->at, r->e) : 0;
    r->at += *n;
    return err;
}

static int tombstone_read_plain(struct reader *r)
{
    size_t n;
    do {
        int err = read_piece(r, r->plain + r->nplain, &n);
        if (err < 0)
            return err;
        r->nplain += n;
        err = tombstone_take_all(r, n == 0);
        if (err != 0)
            return err;
    } while (n > 0);
    return 0;
}

/* Unpacks the input of z, through any number of streams; *inside: within a stream. */
static int tombstone_inflate(struct reader *r, z_stream *z, bool many, bool *inside)
{
    do {
        if (!*inside && !many && z->total_in > 0)
            return bad(r, "more than one stream");
        z->next_out = r->plain + r->nplain;
        z->avail_out = (uInt)(PLAIN - r->nplain);
        int err = inflate(z, Z_NO_FLUSH);
        if (err == Z_MEM_ERROR)
            return err_sys(r->e, -ENOMEM, "%s", r->s->name);
        if (err == Z_BUF_ERROR) /* all that was there has been unpacked */
            return 0;
        if (err != Z_OK && err != Z_STREAM_END)
            return bad(r, z->msg ? z->msg : "it does not unpack");
        r->nplain = PLAIN - z->avail_out;
        *inside = err != Z_STREAM_END;
        if (!*inside && many)
            inflateReset(z);
        err = tombstone_take_all(r, false);
        if (err != 0)
            return err;
    } while (z->avail_in > 0 || *inside);
    return 0;
}

static int tombstone_read_streams(struct reader *r, z_stream *z, bool many)
{
    bool inside = false;
    size_t n;
    int err;
    do {
        err = read_piece(r, r->packed, &n);
        if (err < 0)
            return err;
        z->next_in = r->packed;
        z->avail_in = (uInt)n;
        err = n ? tombstone_inflate(r, z, many, &inside) : 0;
        if (err != 0)
            return err;
    } while (n > 0);
    return inside ? bad(r, "it ends within a stream") : tombstone_take_all(r, true);
}

static int read_packed(struct reader *r, bool many)
{
    z_stream z = {0};
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return err_sys(r->e, -ENOMEM, "%s", r->s->name);
    int err = tombstone_read_streams(r, &z, many);
    inflateEnd(&z);
    return err;
}

int tombstone_read(const struct source *s, tombstone_fn fn, void *ctx, struct err *e)
{
    uint8_t head[MAGIC];
    uint64_t magic = 0;
    if (s->size == 0)
        return 0;
    if (s->size <= MAGIC)
        return err_set(e, -EBADMSG, "%s: damaged: it ends after %" PRIu64 " bytes", s->name,
                       s->size);
    int err = s->read(s->ctx, head, MAGIC, 0, e);
    if (err < 0)
        return err;
    autofree struct reader *r = malloc(sizeof(*r));
    if (!r)
        return err_sys(e, -ENOMEM, "%s", s->name);
    r->s = s;
    r->at = MAGIC;
    r->fn = fn;
    r->ctx = ctx;
    r->e = e;
    r->lines = false;
    r->nplain = 0;
    bytes_be(&(struct bytes){head, MAGIC}, MAGIC, &magic);
    switch (magic) {
    case VERSION_2:
        return tombstone_read_plain(r);
    case VERSION_3:
        return read_packed(r, false);
    case VERSION_4:
        return read_packed(r, true);
    default:
        r->lines = true;
        r->at = 0;
        return tombstone_read_plain(r);
    }
}
