/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock_internal.h"

#include <string.h>

/* Bits from the most significant one of each byte, and the window of the last changed bits. */
struct gorilla {
    const uint8_t *p;
    size_t at, n; /* bits */
    uint64_t v;
    unsigned significant, trailing; /* significant 0: there has been none yet */
};

/* Bytes that are read from the first byte of a value: 7 + 13 + 64 bits and more. */
#define GORILLA_READS 16

/* The 64 bits at `at`. */
static inline uint64_t tsmfloats_bits(const struct gorilla *g)
{
    const uint8_t *p = g->p + g->at / 8;
    unsigned skip = g->at % 8;
    return bytes_load(p) << skip | p[8] >> (8 - skip);
}

/* NULL, or what is wrong. */
static inline const char *tsmfloats_next(struct gorilla *g)
{
    static const char *const torn = "fewer values than times";
    uint64_t bits = tsmfloats_bits(g);
    size_t left = g->n - g->at;
    if (left < 1)
        return torn;
    if (!(bits >> 63)) {
        g->at++;
        return NULL;
    }
    if (bits >> 62 & 1) {
        unsigned leading = bits >> 57 & 31, significant = bits >> 51 & 63;
        if (left < 13)
            return torn;
        g->at += 13;
        significant = significant ? significant : 64;
        if (leading + significant > 64)
            return "a float of more than 64 bits";
        g->significant = significant;
        g->trailing = 64 - leading - significant;
    } else if (left < 2) {
        return torn;
    } else {
        g->at += 2;
    }
    if (g->significant == 0)
        return "a float that goes by one which is not there";
    if (g->significant > g->n - g->at)
        return torn;
    g->v ^= tsmfloats_bits(g) >> (64 - g->significant) << g->trailing;
    g->at += g->significant;
    return NULL;
}

/* Takes values from *i on that begin before bit `until`, while GORILLA_READS bytes can be read. */
static const char *tsmfloats_take(struct gorilla *g, size_t until, union value *values, size_t n,
                                  size_t *i)
{
    struct gorilla local = *g; /* in registers */
    const char *wrong = NULL;
    size_t k = *i;
    for (; !wrong && k < n && local.at < until; k++) {
        values[k].u = local.v;
        wrong = local.v == FLOAT_END ? "fewer values than times" : tsmfloats_next(&local);
    }
    *g = local;
    *i = k;
    return wrong;
}

static const char *tsmfloats_gorilla(struct bytes *in, union value *values, size_t n)
{
    uint8_t tail[GORILLA_READS * 2] = {0};
    struct gorilla g = {.p = in->p, .at = 64, .n = in->n * 8};
    size_t i = 0;
    if (in->n < 8)
        return "fewer values than times";
    g.v = bytes_load(in->p);
    const char *wrong = NULL;
    if (in->n >= GORILLA_READS)
        wrong = tsmfloats_take(&g, (in->n - GORILLA_READS + 1) * 8, values, n, &i);
    size_t done = g.at / 8;
    bytes_skip(in, done);
    if (!wrong && i < n) {
        memcpy(tail, in->p, in->n); /* less than GORILLA_READS */
        g.p = tail;
        g.n -= done * 8;
        g.at -= done * 8;
        wrong = tsmfloats_take(&g, SIZE_MAX, values, n, &i);
        done = 0;
    }
    bytes_skip(in, (g.at + 7) / 8 - done);
    return !wrong && g.v != FLOAT_END ? "more values than times" : wrong;
}

int tsmfloats_decode(struct decoder *d)
{
    uint64_t first;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return decoder_bad(d, "floats of an unknown encoding");
    const char *wrong = tsmfloats_gorilla(&d->in, d->b->values, d->b->n);
    if (wrong)
        return decoder_bad(d, wrong);
    return d->in.n > 0 ? decoder_bad(d, "more than the values") : 0;
}
