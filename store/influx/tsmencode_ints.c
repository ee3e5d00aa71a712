/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmencode_internal.h"

static uint64_t zigzag(uint64_t v)
{
    return v << 1 ^ (0 - (v >> 63));
}

/* Each value less the one before; returns the largest. */
static uint64_t tsmencode_deltas(const struct encoder *x)
{
    uint64_t max = 0, before = 0;
    for (size_t i = 0; i < x->b->n; i++) {
        x->numbers[i] = zigzag(x->b->values[i].u - before);
        before = x->b->values[i].u;
        max = x->numbers[i] > max ? x->numbers[i] : max;
    }
    return max;
}

void tsmencode_ints(struct encoder *x)
{
    uint64_t max = tsmencode_deltas(x);
    if (x->b->n > 2 && encoder_is_even(x)) {
        encoder_byte(x, ENCODING_RLE << 4);
        encoder_be64(x, x->numbers[0]);
        encoder_uvarint(x, x->numbers[1]);
        encoder_uvarint(x, x->b->n - 1);
    } else if (max > SIMPLE8B_MAX) {
        encoder_byte(x, ENCODING_RAW << 4);
        for (size_t i = 0; i < x->b->n; i++)
            encoder_be64(x, x->numbers[i]);
    } else {
        encoder_byte(x, ENCODING_SIMPLE8B << 4);
        encoder_be64(x, x->numbers[0]);
        encoder_words(x, 1);
    }
}
