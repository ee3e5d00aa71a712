/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/influx/tsmencode_internal.h"

#include <errno.h>
#include <math.h>

static void tsmencode_bools(struct encoder *x)
{
    const struct tsmblock *b = x->b;
    encoder_byte(x, ENCODING_ONLY);
    encoder_uvarint(x, b->n);
    for (size_t i = 0; i < b->n; i += 8) {
        unsigned bits = 0;
        for (size_t k = i; k < b->n && k < i + 8; k++)
            bits |= (unsigned)b->values[k].b << (7 - (k - i));
        encoder_byte(x, (uint8_t)bits);
    }
}

static void tsmencode_values(struct encoder *x)
{
    switch (x->b->type) {
    case VALUE_FLOAT:
        tsmencode_floats(x);
        break;
    case VALUE_INTEGER:
    case VALUE_UNSIGNED:
        tsmencode_ints(x);
        break;
    case VALUE_BOOLEAN:
        tsmencode_bools(x);
        break;
    default:
        tsmencode_texts(x);
    }
}

static bool has_nan(const struct tsmblock *b)
{
    for (size_t i = 0; b->type == VALUE_FLOAT && i < b->n; i++)
        if (isnan(b->values[i].f))
            return true;
    return false;
}

/* The times come after their length, which is known when they are there. */
static void tsmencode_parts(struct encoder *x, struct buffer *times)
{
    struct encoder first = {.b = x->b, .numbers = x->numbers, .out = times};
    tsmencode_times(&first);
    encoder_byte(x, (uint8_t)x->b->type);
    encoder_uvarint(x, times->n);
    buffer_add(x->out, times->p, times->n);
    tsmencode_values(x);
}

int tsmencode_block(const struct tsmblock *b, struct buffer *out, struct err *e)
{
    struct buffer times = {0};
    size_t before = out->n;
    if (has_nan(b))
        return err_set(e, -EINVAL, "a float is NaN, which TSM files cannot hold");
    autofree uint64_t *numbers = malloc(b->n * sizeof(*numbers));
    struct encoder x = {.b = b, .numbers = numbers, .out = out};
    if (numbers)
        tsmencode_parts(&x, &times);
    bool failed = !numbers || times.failed || out->failed;
    buffer_free(&times);
    if (!failed)
        return 0;
    out->n = before;
    return err_sys(e, -ENOMEM, "a block of %zu points", b->n);
}
