/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmencode_internal.h"

#include <snappy-c.h>

/* Strings to be packed, each after its length. */
static void tsmencode_lay_out(const struct encoder *x, struct buffer *plain)
{
    struct encoder to = {.out = plain};
    for (size_t i = 0; i < x->b->n; i++) {
        union value v = x->b->values[i];
        encoder_uvarint(&to, v.s.len);
        buffer_add(plain, x->b->strings + v.s.off, v.s.len);
    }
}

void tsmencode_texts(struct encoder *x)
{
    struct buffer plain = {0};
    tsmencode_lay_out(x, &plain);
    encoder_byte(x, ENCODING_ONLY);
    size_t n = snappy_max_compressed_length(plain.n);
    char *to = plain.failed ? NULL : buffer_reserve(x->out, n);
    if (to && snappy_compress(plain.p, plain.n, to, &n) == SNAPPY_OK)
        x->out->n += n;
    else
        x->out->failed = true;
    buffer_free(&plain);
}
