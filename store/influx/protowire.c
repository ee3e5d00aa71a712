/* SPDX-License-Identifier: MIT */
#include "store/influx/protowire.h"

#include <errno.h>

static bool protowire_body(struct bytes *in, struct protowire_field *f)
{
    uint64_t n;
    switch (f->type) {
    case WIRE_VARINT:
        return bytes_uvarint(in, &f->value);
    case WIRE_64:
        return bytes_skip(in, 8);
    case WIRE_32:
        return bytes_skip(in, 4);
    case WIRE_BYTES:
        if (!bytes_uvarint(in, &n) || n > in->n)
            return false;
        f->body = (struct bytes){in->p, (size_t)n};
        return bytes_skip(in, n);
    default:
        return false;
    }
}

int protowire_next(struct bytes *in, struct protowire_field *out)
{
    uint64_t key;
    struct protowire_field f = {.all = *in};
    if (in->n == 0)
        return 0;
    if (!bytes_uvarint(in, &key))
        return -EBADMSG;
    f.number = key >> 3;
    f.type = (enum protowire_type)(key & 7);
    f.nkey = f.all.n - in->n;
    if (!protowire_body(in, &f))
        return -EBADMSG;
    f.all.n -= in->n;
    *out = f;
    return 1;
}

void protowire_put_varint(struct buffer *out, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        b[n++] = (uint8_t)(v | 0x80);
    b[n++] = (uint8_t)v;
    buffer_add(out, b, n);
}
