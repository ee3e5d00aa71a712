/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmencode_internal.h"

/* Bits that wait for their byte, from the most significant one, and the window of the last changed
 * bits. */
struct gorilla {
    struct encoder *x;
    uint64_t waiting; /* at the top */
    unsigned nwaiting;
    uint64_t before;
    bool have_window;
    unsigned leading, trailing;
};

static void tsmencode_flush(struct gorilla *g)
{
    uint64_t v = htobe64(g->waiting);
    buffer_add(g->x->out, &v, (g->nwaiting + 7) / 8);
    g->waiting = 0;
    g->nwaiting = 0;
}

/* The n low bits of v, which has no others; n is at least one. */
static void tsmencode_bits(struct gorilla *g, uint64_t v, unsigned n)
{
    unsigned space = 64 - g->nwaiting;
    if (n >= space) {
        g->waiting |= v >> (n - space);
        g->nwaiting = 64;
        tsmencode_flush(g);
        n -= space;
    }
    if (n == 0)
        return;
    g->waiting |= v << (64 - n) >> g->nwaiting;
    g->nwaiting += n;
}

/* influxd keeps five bits of the number of leading zeros, so that 32 becomes none. */
static void tsmencode_changed(struct gorilla *g, uint64_t change)
{
    unsigned leading = (unsigned)__builtin_clzll(change) & 31;
    unsigned trailing = (unsigned)__builtin_ctzll(change);
    if (g->have_window && leading >= g->leading && trailing >= g->trailing) {
        tsmencode_bits(g, 2, 2);
    } else {
        unsigned significant = 64 - leading - trailing;
        tsmencode_bits(g, 3, 2);
        tsmencode_bits(g, leading, 5);
        tsmencode_bits(g, significant & 63, 6);
        g->have_window = true;
        g->leading = leading;
        g->trailing = trailing;
    }
    tsmencode_bits(g, change >> g->trailing, 64 - g->leading - g->trailing);
}

static void tsmencode_float(struct gorilla *g, uint64_t v)
{
    if (v == g->before)
        tsmencode_bits(g, 0, 1);
    else
        tsmencode_changed(g, v ^ g->before);
    g->before = v;
}

void tsmencode_floats(struct encoder *x)
{
    struct gorilla g = {.x = x, .before = x->b->values[0].u};
    encoder_byte(x, ENCODING_ONLY);
    encoder_be64(x, g.before);
    for (size_t i = 1; i < x->b->n; i++)
        tsmencode_float(&g, x->b->values[i].u);
    tsmencode_float(&g, FLOAT_END);
    tsmencode_flush(&g);
}
