/* SPDX-License-Identifier: MIT */
/* The byte-level part of the census: a meta.db is written anew with one number of some messages
 * changed. It is done on the wire and not by packing what was unpacked, so that what a later
 * version of influxd has put there stays, in its order. */
#include "store/base/cleanup.h"
#include "store/influx/bytes.h"
#include "store/influx/census.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Of meta.proto. */
enum {
    DATA_DATABASES = 5,
    DATABASE_NAME = 1,
    DATABASE_POLICIES = 3,
    POLICY_NAME = 1,
    POLICY_DURATION = 2
};

struct field {
    uint64_t number;
    unsigned wire;
    const uint8_t *all, *head_end; /* with its key, and where that ends */
    size_t n;                      /* bytes from all */
    struct bytes body;             /* WIRE_BYTES */
};

/* A message shrinks or stays as it is: the room of the whole is enough. */
struct out {
    uint8_t *p;
    size_t n;
};

static void put(struct out *o, const void *p, size_t n)
{
    if (n)
        memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_varint(struct out *o, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        o->p[o->n++] = (uint8_t)(v | 0x80);
    o->p[o->n++] = (uint8_t)v;
}

static bool next(struct bytes *in, struct field *f)
{
    uint64_t key, v = 0;
    bool ok = false;
    f->all = in->p;
    if (!bytes_uvarint(in, &key))
        return false;
    f->number = key >> 3;
    f->wire = key & 7;
    f->head_end = in->p;
    f->body = (struct bytes){0};
    if (f->wire == WIRE_VARINT) {
        ok = bytes_uvarint(in, &v);
    } else if (f->wire == WIRE_64 || f->wire == WIRE_32) {
        ok = bytes_skip(in, f->wire == WIRE_64 ? 8 : 4);
    } else if (f->wire == WIRE_BYTES && bytes_uvarint(in, &v)) {
        f->body.p = in->p;
        f->body.n = (size_t)v;
        ok = bytes_skip(in, v);
    }
    f->n = (size_t)(in->p - f->all);
    return ok;
}

/* A string of a message, NULL if it has none; the last one counts. The caller frees it. */
static int text_of(struct bytes in, uint64_t number, char **out)
{
    struct field f;
    struct bytes found = {0};
    while (in.n) {
        if (!next(&in, &f))
            return -EBADMSG;
        if (f.number == number && f.wire == WIRE_BYTES)
            found = f.body;
    }
    *out = found.p ? strndup((const char *)found.p, found.n) : strdup("");
    return *out ? 0 : -ENOMEM;
}

static int keep_policy(struct bytes in, struct out *o)
{
    struct field f;
    while (in.n) {
        if (!next(&in, &f))
            return -EBADMSG;
        if (f.number == POLICY_DURATION && f.wire == WIRE_VARINT) {
            put(o, f.all, (size_t)(f.head_end - f.all));
            put_varint(o, 0);
        } else {
            put(o, f.all, f.n);
        }
    }
    return 0;
}

/* Appends the field with what fn makes of its body, whose length is known only then. */
static int put_message(const struct field *f, struct out *o,
                       int (*fn)(const void *arg, struct bytes in, struct out *o), const void *arg)
{
    autofree uint8_t *room = malloc(f->body.n + 1);
    struct out body = {.p = room};
    if (!room)
        return -ENOMEM;
    int r = fn(arg, f->body, &body);
    if (r < 0)
        return r;
    if (body.n == f->body.n && (!body.n || memcmp(body.p, f->body.p, body.n) == 0)) {
        put(o, f->all, f->n); /* with its length as it is written there */
        return 0;
    }
    put(o, f->all, (size_t)(f->head_end - f->all));
    put_varint(o, body.n);
    put(o, body.p, body.n);
    return 0;
}

struct database {
    const struct census *c;
    const char *name;
};

static int rewrite_policy(const void *arg, struct bytes in, struct out *o)
{
    const struct database *db = arg;
    autofree char *name = NULL;
    int r = text_of(in, POLICY_NAME, &name);
    if (r < 0)
        return r;
    if (census_has(db->c, db->name, name))
        return keep_policy(in, o);
    put(o, in.p, in.n);
    return 0;
}

static int rewrite_database(const void *arg, struct bytes in, struct out *o)
{
    autofree char *name = NULL;
    int r = text_of(in, DATABASE_NAME, &name);
    const struct database db = {arg, name};
    while (r == 0 && in.n) {
        struct field f;
        if (!next(&in, &f))
            return -EBADMSG;
        if (f.number == DATABASE_POLICIES && f.wire == WIRE_BYTES)
            r = put_message(&f, o, rewrite_policy, &db);
        else
            put(o, f.all, f.n);
    }
    return r;
}

static int rewrite(const struct census *c, struct bytes in, struct out *o)
{
    int r = 0;
    while (r == 0 && in.n) {
        struct field f;
        if (!next(&in, &f))
            return -EBADMSG;
        if (f.number == DATA_DATABASES && f.wire == WIRE_BYTES)
            r = put_message(&f, o, rewrite_database, c);
        else
            put(o, f.all, f.n);
    }
    return r;
}

int census_keep(const struct census *c, const void *meta, size_t len, void **out, size_t *outlen,
                struct err *e)
{
    autofree uint8_t *room = malloc(len + 1);
    struct out o = {.p = room};
    if (!room)
        return err_sys(e, -ENOMEM, "meta.db");
    int r = rewrite(c, (struct bytes){meta, len}, &o);
    if (r < 0)
        return err_set(e, r, "meta.db: %s",
                       r == -EBADMSG ? "damaged, or not written by InfluxDB 1.x" : strerror(-r));
    *out = steal_ptr(&room);
    *outlen = o.n;
    return 0;
}
