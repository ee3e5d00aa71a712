/* SPDX-License-Identifier: MIT */
/* Protobuf messages, field by field (protobuf.dev, "Encoding"), for two tasks that generated code
 * lacks: keeping unknown fields in their order, and reading without allocation. Reading is pure, on
 * untrusted bytes. */
#ifndef INFLUXFS_INFLUX_PROTOWIRE_H
#define INFLUXFS_INFLUX_PROTOWIRE_H

#include "store/base/buffer.h"
#include "store/influx/bytes.h"

enum protowire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct protowire_field {
    uint64_t number;
    enum protowire_type type;
    uint64_t value;    /* of WIRE_VARINT */
    struct bytes body; /* of WIRE_BYTES: a string or a message */
    struct bytes all;  /* the whole field as it is written */
    size_t nkey;       /* bytes of its number and type, within `all` */
};

/* Takes the next field of a message: 1; 0 at its end; -EBADMSG. */
int protowire_next(struct bytes *in, struct protowire_field *out);

/* Appends a number as it stands alone: a value, a length, or the key of a field, which is
 * (number << 3 | type). */
void protowire_put_varint(struct buffer *out, uint64_t v);

#endif
