/* SPDX-License-Identifier: MIT */
#include "store/influx/fieldsidx.h"

#include "store/influx/protowire.h"

#include <errno.h>
#include <string.h>

#define MAGIC_SIZE 4
#define CHANGE_HEAD 8 /* bytes of the length before changes */

static struct slice text_of(const struct protowire_field *f)
{
    return (struct slice){(const char *)f->body.p, f->body.n};
}

static bool fieldsidx_type(uint64_t number, enum value_type *out)
{
    static const struct {
        uint64_t number;
        enum value_type type;
    } types[] = {{1, VALUE_FLOAT},
                 {2, VALUE_INTEGER},
                 {3, VALUE_STRING},
                 {4, VALUE_BOOLEAN},
                 {9, VALUE_UNSIGNED}};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (types[i].number == number) {
            *out = types[i].type;
            return true;
        }
    }
    return false;
}

static int fieldsidx_field(struct slice measurement, struct bytes rest,
                           const struct fieldsidx_visitor *v)
{
    struct protowire_field f;
    struct slice name = {NULL, 0};
    enum value_type type;
    uint64_t number = 0;
    int r;
    while ((r = protowire_next(&rest, &f)) == 1) {
        if (f.number == 1)
            name = text_of(&f);
        else if (f.number == 2)
            number = f.value;
    }
    if (r < 0 || !name.n || !fieldsidx_type(number, &type))
        return r;
    return v->field(v->ctx, measurement, name, type);
}

static int fieldsidx_measurement(struct bytes rest, const struct fieldsidx_visitor *v)
{
    struct protowire_field f;
    struct slice name = {NULL, 0};
    int r;
    while ((r = protowire_next(&rest, &f)) == 1) {
        if (f.number == 1)
            name = text_of(&f);
        int rc = f.number == 2 ? fieldsidx_field(name, f.body, v) : 0;
        if (rc != 0)
            return rc;
    }
    return r;
}

typedef int message_fn(struct bytes rest, const struct fieldsidx_visitor *v);

/* Calls fn for each of the messages with number 1. */
static int fieldsidx_each(struct bytes rest, message_fn *fn, const struct fieldsidx_visitor *v)
{
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&rest, &f)) == 1) {
        int rc = f.number == 1 ? fn(f.body, v) : 0;
        if (rc != 0)
            return rc;
    }
    return r;
}

int fieldsidx_read(const void *bytes, size_t n, const struct fieldsidx_visitor *v)
{
    static const uint8_t magic[MAGIC_SIZE] = {0x00, 0x06, 0x01, 0x03};
    if (n < MAGIC_SIZE || memcmp(bytes, magic, MAGIC_SIZE) != 0)
        return -EBADMSG;
    struct bytes rest = {(const uint8_t *)bytes + MAGIC_SIZE, n - MAGIC_SIZE};
    return fieldsidx_each(rest, fieldsidx_measurement, v);
}

static int fieldsidx_change(struct bytes rest, const struct fieldsidx_visitor *v)
{
    struct protowire_field f;
    struct slice measurement = {NULL, 0};
    struct bytes field = {0};
    uint64_t kind = 0;
    int r;
    while ((r = protowire_next(&rest, &f)) == 1) {
        if (f.number == 1)
            measurement = text_of(&f);
        else if (f.number == 2)
            field = f.body;
        else if (f.number == 3)
            kind = f.value;
    }
    if (r < 0)
        return r;
    return kind == 1 ? v->drop(v->ctx, measurement) : fieldsidx_field(measurement, field, v);
}

int fieldsidx_changes(const void *bytes, size_t n, const struct fieldsidx_visitor *v)
{
    const uint8_t *p = bytes;
    int r = 0;
    while (r == 0 && n >= CHANGE_HEAD) {
        uint64_t len = 0;
        for (size_t i = 0; i < CHANGE_HEAD; i++)
            len |= (uint64_t)p[i] << (8 * i);
        p += CHANGE_HEAD;
        n -= CHANGE_HEAD;
        if (len > n)
            break;
        r = fieldsidx_each((struct bytes){p, len}, fieldsidx_change, v);
        p += len;
        n -= len;
    }
    return r == -EBADMSG ? 0 : r;
}
