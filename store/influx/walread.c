/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/bytes.h"
#include "store/influx/walentry.h"

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

static int no_memory(const struct segment *g)
{
    return err_sys(g->e, -ENOMEM, "%s", g->s->name);
}

static int walread_replay(struct segment *g, int type, size_t n)
{
    size_t plain;
    if (snappy_uncompressed_length(g->packed, n, &plain) != SNAPPY_OK || plain / 22 > n)
        return bad(g, "it does not unpack");
    if (!array_renew(&g->plain, &g->plain_cap, plain))
        return no_memory(g);
    if (snappy_uncompress(g->packed, n, g->plain, &plain) != SNAPPY_OK)
        return bad(g, "it does not unpack");
    /* Checked first, so that the visitor's result cannot be mistaken for damage. */
    if (walentry_walk(type, g->plain, plain, &(struct walentry_visitor){0}) < 0)
        return bad(g, "its contents do not add up");
    return walentry_walk(type, g->plain, plain, g->v);
}

/* The type of the entry at g->at, and its length after the header. */
static int walread_header(const struct segment *g, uint64_t *type, uint64_t *len)
{
    uint8_t head[HEADER];
    const uint64_t left = g->s->size - g->at;
    if (left < HEADER)
        return bad(g, "it is torn");
    int r = g->s->read(g->s->ctx, head, HEADER, g->at, g->e);
    if (r < 0)
        return r;
    struct bytes b = {head, HEADER};
    bytes_be(&b, 1, type);
    bytes_be(&b, 4, len);
    return *len == 0 || *len > left - HEADER ? bad(g, "it is torn") : 0;
}

/* Reads the entry at g->at and moves past it. */
static int walread_entry(struct segment *g)
{
    uint64_t type = 0, len = 0;
    int r = walread_header(g, &type, &len);
    if (r < 0)
        return r;
    if (!array_renew(&g->packed, &g->packed_cap, (size_t)len))
        return no_memory(g);
    r = g->s->read(g->s->ctx, g->packed, (size_t)len, g->at + HEADER, g->e);
    if (r == 0)
        r = walread_replay(g, (int)type, (size_t)len);
    g->at += HEADER + len;
    return r;
}

bool walread_may_delete(const struct source *s)
{
    struct segment g = {.s = s};
    uint64_t type = 0, len = 0;
    for (; g.at < s->size; g.at += HEADER + len)
        if (walread_header(&g, &type, &len) < 0 || type != WALENTRY_WRITE)
            return true;
    return false;
}

int walread(const struct source *s, const struct walentry_visitor *v, struct err *e)
{
    cleanup(segment_release) struct segment g = {.s = s, .v = v, .e = e};
    int r = 0;
    while (r == 0 && g.at < s->size)
        r = walread_entry(&g);
    return r;
}
