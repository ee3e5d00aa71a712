/* SPDX-License-Identifier: MIT */
#include "store/influx/walread.h"

#include "store/base/cleanup.h"
#include "store/influx/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <snappy-c.h>

#define HEADER 5

struct segment {
    const struct source *s;
    const struct walentry_visitor *v;
    struct err *e;
    uint64_t at; /* of the entry at hand */
    char *packed, *plain;
    size_t packed_cap, plain_cap;
};

static void segment_release(struct segment *g)
{
    free(g->packed);
    free(g->plain);
}

static int bad(const struct segment *g, const char *what)
{
    return err_set(g->e, -EBADMSG, "%s: damaged entry at byte %" PRIu64 ": %s", g->s->name, g->at,
                   what);
}

static int room(const struct segment *g, char **p, size_t *cap, size_t n)
{
    if (n <= *cap && *p)
        return 0;
    free(*p);
    *cap = 0;
    *p = malloc(n + 1);
    if (!*p)
        return err_sys(g->e, -ENOMEM, "%s", g->s->name);
    *cap = n;
    return 0;
}

/* Unpacks the n bytes of g->packed and walks them. */
static int replay(struct segment *g, int type, size_t n)
{
    size_t plain;
    if (snappy_uncompressed_length(g->packed, n, &plain) != SNAPPY_OK || plain / 22 > n ||
        snappy_validate_compressed_buffer(g->packed, n) != SNAPPY_OK)
        return bad(g, "it does not unpack");
    int r = room(g, &g->plain, &g->plain_cap, plain);
    if (r < 0)
        return r;
    if (snappy_uncompress(g->packed, n, g->plain, &plain) != SNAPPY_OK)
        return bad(g, "it does not unpack");
    /* Looked through first, so that what the visitor returns cannot be taken for damage. */
    if (walentry_walk(type, g->plain, plain, &(struct walentry_visitor){0}) < 0)
        return bad(g, "its contents do not add up");
    return walentry_walk(type, g->plain, plain, g->v);
}

/* The entry at g->at; moves on behind it. */
static int read_entry(struct segment *g)
{
    uint8_t head[HEADER];
    uint64_t type = 0, len = 0, left = g->s->size - g->at;
    if (left < HEADER)
        return bad(g, "it is torn");
    int r = g->s->read(g->s->ctx, head, HEADER, g->at, g->e);
    if (r < 0)
        return r;
    struct bytes b = {head, HEADER};
    bytes_be(&b, 1, &type);
    bytes_be(&b, 4, &len);
    if (len == 0 || len > left - HEADER)
        return bad(g, "it is torn");
    r = room(g, &g->packed, &g->packed_cap, (size_t)len);
    if (r == 0)
        r = g->s->read(g->s->ctx, g->packed, (size_t)len, g->at + HEADER, g->e);
    if (r == 0)
        r = replay(g, (int)type, (size_t)len);
    g->at += HEADER + len;
    return r;
}

int walread(const struct source *s, const struct walentry_visitor *v, struct err *e)
{
    cleanup(segment_release) struct segment g = {.s = s, .v = v, .e = e};
    int r = 0;
    while (r == 0 && g.at < s->size)
        r = read_entry(&g);
    return r;
}
