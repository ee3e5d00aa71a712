/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmencode_internal.h"

#define SCALE_MAX 12 /* differences are divided by up to 10^12 */

/* The first time and the differences; returns the largest of these. */
static uint64_t tsmencode_differences(const struct encoder *x)
{
    uint64_t max = 0;
    x->numbers[0] = (uint64_t)x->b->times[0];
    for (size_t i = 1; i < x->b->n; i++) {
        x->numbers[i] = (uint64_t)x->b->times[i] - (uint64_t)x->b->times[i - 1];
        max = x->numbers[i] > max ? x->numbers[i] : max;
    }
    return max;
}

/* The greatest power of ten that divides the differences up to number `end`, as its logarithm. */
static uint8_t tsmencode_scale(const struct encoder *x, size_t end, uint64_t *divisor)
{
    uint8_t scale = SCALE_MAX;
    *divisor = UINT64_C(1000000000000);
    for (size_t i = 1; i < end; i++)
        for (; x->numbers[i] % *divisor; scale--)
            *divisor /= 10;
    return scale;
}

static void tsmencode_times_rle(struct encoder *x)
{
    uint64_t divisor;
    uint8_t scale = tsmencode_scale(x, 2, &divisor);
    encoder_byte(x, (uint8_t)(ENCODING_RLE << 4 | scale));
    encoder_be64(x, x->numbers[0]);
    encoder_uvarint(x, x->numbers[1] / divisor);
    encoder_uvarint(x, x->b->n);
}

static void tsmencode_times_simple8b(struct encoder *x)
{
    uint64_t divisor;
    uint8_t scale = tsmencode_scale(x, x->b->n, &divisor);
    for (size_t i = 1; divisor > 1 && i < x->b->n; i++)
        x->numbers[i] /= divisor;
    encoder_byte(x, (uint8_t)(ENCODING_SIMPLE8B << 4 | scale));
    encoder_be64(x, x->numbers[0]);
    encoder_words(x, 1);
}

static void tsmencode_times_raw(struct encoder *x)
{
    encoder_byte(x, ENCODING_RAW << 4);
    for (size_t i = 0; i < x->b->n; i++)
        encoder_be64(x, x->numbers[i]);
}

void tsmencode_times(struct encoder *x)
{
    uint64_t max = tsmencode_differences(x);
    if (x->b->n > 1 && encoder_is_even(x))
        tsmencode_times_rle(x);
    else if (max > SIMPLE8B_MAX)
        tsmencode_times_raw(x);
    else
        tsmencode_times_simple8b(x);
}
