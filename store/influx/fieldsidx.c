/* SPDX-License-Identifier: MIT */
#include "store/influx/fieldsidx.h"

#include <errno.h>
#include <string.h>

#define MAGIC_SIZE 4
#define CHANGE_HEAD 8 /* bytes of the length before changes */

/* A field of a protobuf message. */
struct part {
    uint64_t number, value; /* value: of a varint */
    struct slice bytes;     /* of a string or message */
};

static bool take_varint(struct slice *rest, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; rest->n > 0 && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*rest->p;
        rest->p++;
        rest->n--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* 1 and the next part, 0 at the end, -EBADMSG for what these messages cannot have. */
static int next(struct slice *rest, struct part *out)
{
    uint64_t tag, n;
    if (rest->n == 0)
        return 0;
    *out = (struct part){0};
    if (!take_varint(rest, &tag) || !take_varint(rest, &n))
        return -EBADMSG;
    out->number = tag >> 3;
    out->value = n;
    if ((tag & 7) == 0)
        return 1;
    if ((tag & 7) != 2 || n > rest->n)
        return -EBADMSG;
    out->bytes = (struct slice){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return 1;
}

static bool type_of(uint64_t number, enum value_type *out)
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

static int read_field(struct slice measurement, struct slice rest,
                      const struct fieldsidx_visitor *v)
{
    struct part p;
    struct slice name = {NULL, 0};
    enum value_type type;
    uint64_t number = 0;
    int r;
    while ((r = next(&rest, &p)) == 1) {
        if (p.number == 1)
            name = p.bytes;
        else if (p.number == 2)
            number = p.value;
    }
    if (r < 0 || !name.n || !type_of(number, &type))
        return r;
    return v->field(v->ctx, measurement, name, type);
}

static int read_measurement(struct slice rest, const struct fieldsidx_visitor *v)
{
    struct part p;
    struct slice name = {NULL, 0};
    int r;
    while ((r = next(&rest, &p)) == 1) {
        if (p.number == 1)
            name = p.bytes;
        int rc = p.number == 2 ? read_field(name, p.bytes, v) : 0;
        if (rc != 0)
            return rc;
    }
    return r;
}

int fieldsidx_read(const void *bytes, size_t n, const struct fieldsidx_visitor *v)
{
    static const uint8_t magic[MAGIC_SIZE] = {0x00, 0x06, 0x01, 0x03};
    struct part p;
    int r;
    if (n < MAGIC_SIZE || memcmp(bytes, magic, MAGIC_SIZE) != 0)
        return -EBADMSG;
    struct slice rest = {(const char *)bytes + MAGIC_SIZE, n - MAGIC_SIZE};
    while ((r = next(&rest, &p)) == 1) {
        int rc = p.number == 1 ? read_measurement(p.bytes, v) : 0;
        if (rc != 0)
            return rc;
    }
    return r;
}

static int read_change(struct slice rest, const struct fieldsidx_visitor *v)
{
    struct part p;
    struct slice measurement = {NULL, 0}, field = {NULL, 0};
    uint64_t kind = 0;
    int r;
    while ((r = next(&rest, &p)) == 1) {
        if (p.number == 1)
            measurement = p.bytes;
        else if (p.number == 2)
            field = p.bytes;
        else if (p.number == 3)
            kind = p.value;
    }
    if (r < 0)
        return r;
    return kind == 1 ? v->drop(v->ctx, measurement) : read_field(measurement, field, v);
}

static int read_changes(struct slice rest, const struct fieldsidx_visitor *v)
{
    struct part p;
    int r;
    while ((r = next(&rest, &p)) == 1) {
        int rc = p.number == 1 ? read_change(p.bytes, v) : 0;
        if (rc != 0)
            return rc;
    }
    return r;
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
        r = read_changes((struct slice){(const char *)p, len}, v);
        p += len;
        n -= len;
    }
    return r == -EBADMSG ? 0 : r;
}
