/* SPDX-License-Identifier: MIT */
#include "store/influx/simple8b.h"
#include "store/influx/tsmencode_internal.h"

void encoder_be64(struct encoder *x, uint64_t v)
{
    v = htobe64(v);
    buffer_add(x->out, &v, sizeof(v));
}

void encoder_byte(struct encoder *x, uint8_t v)
{
    buffer_add(x->out, &v, 1);
}

void encoder_uvarint(struct encoder *x, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        encoder_byte(x, (uint8_t)(v | 0x80));
    encoder_byte(x, (uint8_t)v);
}

/* How many of the n numbers are 1 before another one, or the end. */
static size_t ones(const uint64_t *v, size_t n)
{
    size_t i = 0;
    while (i < n && v[i] == 1)
        i++;
    return i;
}

/* Whether the first `count` of the numbers have at most that many bits. */
static bool fits(const uint64_t *v, size_t count, unsigned bits)
{
    for (size_t i = 0; i < count; i++)
        if (v[i] >> bits)
            return false;
    return true;
}

/* The first selector with which a word is full: it takes most numbers. Its last one takes any. */
static unsigned tsmencode_selector(const uint64_t *v, size_t n)
{
    unsigned s = 0;
    size_t run = n < simple8b_packing[1].n ? 0 : ones(v, n);
    while (simple8b_packing[s].bits == 0 && run < simple8b_packing[s].n)
        s++;
    if (simple8b_packing[s].bits == 0)
        return s;
    while (simple8b_packing[s].n > n || !fits(v, simple8b_packing[s].n, simple8b_packing[s].bits))
        s++;
    return s;
}

void encoder_words(struct encoder *x, size_t first)
{
    for (size_t i = first; i < x->b->n;) {
        const uint64_t *v = x->numbers + i;
        unsigned s = tsmencode_selector(v, x->b->n - i), bits = simple8b_packing[s].bits;
        uint64_t word = (uint64_t)s << 60;
        for (size_t k = 0; bits && k < simple8b_packing[s].n; k++)
            word |= v[k] << (k * bits);
        encoder_be64(x, word);
        i += simple8b_packing[s].n;
    }
}

bool encoder_is_even(const struct encoder *x)
{
    for (size_t i = 2; i < x->b->n; i++)
        if (x->numbers[i] != x->numbers[1])
            return false;
    return true;
}
