/* SPDX-License-Identifier: MIT */
/* Writes a meta.db anew with one number of some messages changed. It works on the wire format, so
 * that fields of later influxd versions stay, in their order. */
#include "store/base/cleanup.h"
#include "store/influx/census.h"
#include "store/influx/protowire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of meta.proto. */
enum {
    DATA_DATABASES = 5,
    DATABASE_NAME = 1,
    DATABASE_POLICIES = 3,
    POLICY_NAME = 1,
    POLICY_DURATION = 2
};

/* A message never grows: the size of the whole is enough. */
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

static void put_field(struct out *o, const struct protowire_field *f)
{
    put(o, f->all.p, f->all.n);
}

/* A string of a message, "" if absent; the last one counts. The caller frees it. */
static int census_text_of(struct bytes in, uint64_t number, char **out)
{
    struct protowire_field f;
    struct bytes found = {0};
    int r;
    while ((r = protowire_next(&in, &f)) == 1)
        if (f.number == number && f.type == WIRE_BYTES)
            found = f.body;
    if (r < 0)
        return r;
    *out = found.p ? strndup((const char *)found.p, found.n) : strdup("");
    return *out ? 0 : -ENOMEM;
}

static int keep_policy(struct bytes in, struct out *o)
{
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&in, &f)) == 1) {
        if (f.number == POLICY_DURATION && f.type == WIRE_VARINT) {
            put(o, f.all.p, f.nkey);
            put_varint(o, 0);
        } else {
            put_field(o, &f);
        }
    }
    return r;
}

/* Appends the rewritten message. */
typedef int rewrite_fn(const void *arg, struct bytes in, struct out *o);

/* Appends the field with its body rewritten by fn; the length is known only then. */
static int census_put_message(const struct protowire_field *f, rewrite_fn *fn, const void *arg,
                              struct out *o)
{
    autofree uint8_t *buf = malloc(f->body.n + 1);
    struct out body = {.p = buf};
    if (!buf)
        return -ENOMEM;
    int r = fn(arg, f->body, &body);
    if (r < 0)
        return r;
    if (body.n == f->body.n && (!body.n || memcmp(body.p, f->body.p, body.n) == 0)) {
        put_field(o, f); /* keeps the length as it was encoded */
        return 0;
    }
    put(o, f->all.p, f->nkey);
    put_varint(o, body.n);
    put(o, body.p, body.n);
    return 0;
}

/* Appends a message; its messages with this number are rewritten by fn. */
static int rewrite(struct bytes in, uint64_t number, rewrite_fn *fn, const void *arg, struct out *o)
{
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&in, &f)) == 1) {
        if (f.number != number || f.type != WIRE_BYTES)
            put_field(o, &f);
        else if ((r = census_put_message(&f, fn, arg, o)) < 0)
            return r;
    }
    return r;
}

struct database {
    const struct census *c;
    const char *name;
};

static int rewrite_policy(const void *arg, struct bytes in, struct out *o)
{
    const struct database *db = arg;
    autofree char *name = NULL;
    int r = census_text_of(in, POLICY_NAME, &name);
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
    int r = census_text_of(in, DATABASE_NAME, &name);
    const struct database db = {arg, name};
    return r < 0 ? r : rewrite(in, DATABASE_POLICIES, rewrite_policy, &db, o);
}

int census_keep(const struct census *c, const void *meta, size_t len, void **out, size_t *outlen,
                struct err *e)
{
    autofree uint8_t *buf = malloc(len + 1);
    struct out o = {.p = buf};
    if (!buf)
        return err_sys(e, -ENOMEM, "meta.db");
    int r = rewrite((struct bytes){meta, len}, DATA_DATABASES, rewrite_database, c, &o);
    if (r < 0)
        return err_set(e, r, "meta.db: %s",
                       r == -EBADMSG ? "damaged, or not written by InfluxDB 1.x" : strerror(-r));
    *out = steal_ptr(&buf);
    *outlen = o.n;
    return 0;
}
