/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock.h"

#include "store/influx/bytes.h"

#include <errno.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

enum encoding { ENCODING_RAW = 0, ENCODING_SIMPLE8B = 1, ENCODING_RLE = 2 };

#define ENCODING_ONLY 0x10 /* the first byte of floats, booleans and strings */
#define FLOAT_END 0x7ff8000000000001u

/* A block while it is decoded. */
struct decoder {
    struct tsmblock *b;
    const uint8_t *start;
    struct bytes in; /* what is left of the part at hand */
    struct err *e;
};

static int bad(const struct decoder *d, const char *what)
{
    return err_set(d->e, -EBADMSG, "byte %zu of it: %s", (size_t)(d->in.p - d->start), what);
}

/* Room for n points, those that are there kept. */
static int reserve(struct tsmblock *b, size_t n)
{
    if (n <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : 1024;
    while (cap < n)
        cap *= 2;
    int64_t *times = realloc(b->times, cap * sizeof(*times));
    if (!times)
        return -ENOMEM;
    b->times = times;
    union value *values = realloc(b->values, cap * sizeof(*values));
    if (!values)
        return -ENOMEM;
    b->values = values;
    b->cap = cap;
    return 0;
}

static const struct {
    uint8_t n, bits;
} packing[16] = {{240, 0}, {120, 0}, {60, 1}, {30, 2}, {20, 3}, {15, 4}, {12, 5}, {10, 6},
                 {8, 7},   {7, 8},   {6, 10}, {5, 12}, {4, 15}, {3, 20}, {2, 30}, {1, 60}};

/* Takes a word; room for 240. */
static bool simple8b(struct bytes *in, uint64_t *out, size_t *n)
{
    uint64_t word;
    if (!bytes_be(in, 8, &word))
        return false;
    unsigned selector = (unsigned)(word >> 60), bits = packing[selector].bits;
    *n = packing[selector].n;
    for (size_t i = 0; i < *n; i++)
        out[i] = bits ? word >> (i * bits) & ((UINT64_C(1) << bits) - 1) : 1;
    return true;
}

static int add_time(struct decoder *d, uint64_t t)
{
    struct tsmblock *b = d->b;
    if (b->n >= TSMBLOCK_MAX_POINTS)
        return bad(d, "more points than a block can have");
    int r = reserve(b, b->n + 1);
    if (r < 0)
        return r;
    if (b->n > 0 && (int64_t)t < b->times[b->n - 1])
        return bad(d, "times that go back");
    b->times[b->n++] = (int64_t)t;
    return 0;
}

static int times_raw(struct decoder *d)
{
    uint64_t t = 0, delta;
    int r = 0;
    while (r == 0 && bytes_be(&d->in, 8, &delta))
        r = add_time(d, t += delta);
    return r;
}

static int times_simple8b(struct decoder *d, uint64_t divisor)
{
    uint64_t t, delta[240];
    size_t n;
    if (!bytes_be(&d->in, 8, &t))
        return bad(d, "times without a first one");
    int r = add_time(d, t);
    while (r == 0 && d->in.n > 0) {
        if (!simple8b(&d->in, delta, &n))
            return bad(d, "times that end within a word");
        for (size_t i = 0; r == 0 && i < n; i++)
            r = add_time(d, t += delta[i] * divisor);
    }
    return r;
}

static int times_rle(struct decoder *d, uint64_t divisor)
{
    uint64_t t, delta, count;
    if (!bytes_be(&d->in, 8, &t) || !bytes_uvarint(&d->in, &delta) ||
        !bytes_uvarint(&d->in, &count))
        return bad(d, "times that end within a number");
    int r = 0;
    for (uint64_t i = 0; r == 0 && i < count; i++)
        r = add_time(d, t + i * delta * divisor);
    return r;
}

static int decode_times(struct decoder *d)
{
    uint64_t first, divisor = 1;
    if (!bytes_be(&d->in, 1, &first))
        return bad(d, "no times");
    if ((first & 15) > 12)
        return bad(d, "times with an unknown divisor");
    for (unsigned i = 0; i < (first & 15); i++)
        divisor *= 10;
    int r;
    switch (first >> 4) {
    case ENCODING_RAW:
        r = times_raw(d);
        break;
    case ENCODING_SIMPLE8B:
        r = times_simple8b(d, divisor);
        break;
    case ENCODING_RLE:
        r = times_rle(d, divisor);
        break;
    default:
        return bad(d, "times of an unknown encoding");
    }
    if (r == 0 && d->in.n > 0)
        return bad(d, "more than the times");
    return r == 0 && d->b->n == 0 ? bad(d, "no points") : r;
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static int too_few(const struct decoder *d)
{
    return bad(d, "fewer values than times");
}

static int integers_raw(struct decoder *d)
{
    uint64_t v = 0, delta;
    for (size_t i = 0; i < d->b->n; i++) {
        if (!bytes_be(&d->in, 8, &delta))
            return too_few(d);
        d->b->values[i].u = v += (uint64_t)unzigzag(delta);
    }
    return 0;
}

static int integers_simple8b(struct decoder *d)
{
    uint64_t v, delta[240];
    if (!bytes_be(&d->in, 8, &v))
        return too_few(d);
    d->b->values[0].u = v = (uint64_t)unzigzag(v);
    for (size_t i = 1, n = 0; i < d->b->n; i += n) {
        if (!simple8b(&d->in, delta, &n))
            return too_few(d);
        if (n > d->b->n - i)
            return bad(d, "more values than times");
        for (size_t k = 0; k < n; k++)
            d->b->values[i + k].u = v += (uint64_t)unzigzag(delta[k]);
    }
    return 0;
}

static int integers_rle(struct decoder *d)
{
    uint64_t v, delta, count;
    if (!bytes_be(&d->in, 8, &v) || !bytes_uvarint(&d->in, &delta) ||
        !bytes_uvarint(&d->in, &count))
        return too_few(d);
    if (count != d->b->n - 1)
        return bad(d, "not as many values as times");
    v = (uint64_t)unzigzag(v);
    for (size_t i = 0; i < d->b->n; i++)
        d->b->values[i].u = v + i * (uint64_t)unzigzag(delta);
    return 0;
}

static int decode_integers(struct decoder *d)
{
    uint64_t first;
    if (!bytes_be(&d->in, 1, &first))
        return too_few(d);
    switch (first >> 4) {
    case ENCODING_RAW:
        return integers_raw(d);
    case ENCODING_SIMPLE8B:
        return integers_simple8b(d);
    case ENCODING_RLE:
        return integers_rle(d);
    default:
        return bad(d, "integers of an unknown encoding");
    }
}

/* Bits from the most significant one of each byte. */
struct bits {
    const uint8_t *p;
    size_t at, n;
};

static bool take_bits(struct bits *b, unsigned n, uint64_t *v)
{
    if (n > b->n - b->at)
        return false;
    uint64_t x = 0;
    while (n > 0) {
        unsigned left = 8 - b->at % 8, take = n < left ? n : left;
        x = x << take | (b->p[b->at / 8] >> (left - take) & ((1u << take) - 1));
        b->at += take;
        n -= take;
    }
    *v = x;
    return true;
}

/* The window of bits that changed last. */
struct gorilla {
    struct bits in;
    uint64_t v;
    unsigned significant, trailing; /* significant 0: there has been none yet */
};

/* NULL, or what is wrong. */
static const char *gorilla_next(struct gorilla *g)
{
    static const char *const torn = "fewer values than times";
    uint64_t same, keep, leading, significant, x;
    if (!take_bits(&g->in, 1, &same))
        return torn;
    if (!same)
        return NULL;
    if (!take_bits(&g->in, 1, &keep))
        return torn;
    if (keep) {
        if (!take_bits(&g->in, 5, &leading) || !take_bits(&g->in, 6, &significant))
            return torn;
        significant = significant ? significant : 64;
        if (leading + significant > 64)
            return "a float of more than 64 bits";
        g->significant = (unsigned)significant;
        g->trailing = (unsigned)(64 - leading - significant);
    }
    if (g->significant == 0)
        return "a float that goes by one which is not there";
    if (!take_bits(&g->in, g->significant, &x))
        return torn;
    g->v ^= x << g->trailing;
    return NULL;
}

static int decode_floats(struct decoder *d)
{
    uint64_t first;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return bad(d, "floats of an unknown encoding");
    struct gorilla g = {.in = {d->in.p, 0, d->in.n * 8}};
    const char *wrong = take_bits(&g.in, 64, &g.v) ? NULL : "fewer values than times";
    for (size_t i = 0; !wrong && i < d->b->n; i++) {
        if (g.v == FLOAT_END)
            wrong = "fewer values than times";
        memcpy(&d->b->values[i].f, &g.v, sizeof(g.v));
        if (!wrong)
            wrong = gorilla_next(&g);
    }
    if (!wrong && g.v != FLOAT_END)
        wrong = "more values than times";
    bytes_skip(&d->in, (g.in.at + 7) / 8);
    if (wrong)
        return bad(d, wrong);
    return d->in.n > 0 ? bad(d, "more than the values") : 0;
}

static int decode_booleans(struct decoder *d)
{
    uint64_t first, count;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return bad(d, "booleans of an unknown encoding");
    if (!bytes_uvarint(&d->in, &count) || count != d->b->n)
        return bad(d, "not as many values as times");
    const uint8_t *p = d->in.p;
    if (!bytes_skip(&d->in, (count + 7) / 8))
        return too_few(d);
    for (size_t i = 0; i < count; i++)
        d->b->values[i].b = p[i / 8] >> (7 - i % 8) & 1;
    return 0;
}

/* Unpacks what is left into b->strings. */
static int unpack(struct decoder *d, size_t *n)
{
    struct tsmblock *b = d->b;
    const char *packed = (const char *)d->in.p;
    if (snappy_uncompressed_length(packed, d->in.n, n) != SNAPPY_OK || *n > TSMBLOCK_MAX_STRINGS ||
        snappy_validate_compressed_buffer(packed, d->in.n) != SNAPPY_OK)
        return bad(d, "strings that do not unpack");
    if (*n > b->strings_cap || !b->strings) {
        free(b->strings);
        b->strings_cap = 0;
        b->strings = malloc(*n + 1);
        if (!b->strings)
            return -ENOMEM;
        b->strings_cap = *n;
    }
    if (snappy_uncompress(packed, d->in.n, b->strings, n) != SNAPPY_OK)
        return bad(d, "strings that do not unpack");
    return 0;
}

static int decode_strings(struct decoder *d)
{
    uint64_t first, len;
    size_t n;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return bad(d, "strings of an unknown encoding");
    int r = unpack(d, &n);
    if (r < 0)
        return r;
    struct bytes in = {(const uint8_t *)d->b->strings, n};
    for (size_t i = 0; i < d->b->n; i++) {
        if (!bytes_uvarint(&in, &len) || len > in.n)
            return too_few(d);
        d->b->values[i].s.off = (uint32_t)(n - in.n);
        d->b->values[i].s.len = (uint32_t)len;
        bytes_skip(&in, len);
    }
    if (in.n > 0)
        return bad(d, "more values than times");
    d->in.n = 0;
    return 0;
}

static int decode_values(struct decoder *d)
{
    switch (d->b->type) {
    case VALUE_FLOAT:
        return decode_floats(d);
    case VALUE_INTEGER:
    case VALUE_UNSIGNED:
        return decode_integers(d);
    case VALUE_BOOLEAN:
        return decode_booleans(d);
    default:
        return decode_strings(d);
    }
}

static int decode(struct decoder *d, size_t n)
{
    uint64_t type, len;
    if (!bytes_be(&d->in, 1, &type) || type >= VALUE_TYPES)
        return bad(d, "values of an unknown type");
    d->b->type = (enum value_type)type;
    if (!bytes_uvarint(&d->in, &len) || len > d->in.n)
        return bad(d, "times that leave the block");
    const uint8_t *values = d->in.p + len;
    d->in.n = (size_t)len;
    int r = decode_times(d);
    if (r < 0)
        return r;
    d->in = (struct bytes){values, (size_t)(d->start + n - values)};
    r = decode_values(d);
    return r == 0 && d->in.n > 0 ? bad(d, "more than the values") : r;
}

int tsmblock_decode(struct tsmblock *b, const void *p, size_t n, struct err *e)
{
    struct decoder d = {.b = b, .start = p, .in = {p, n}, .e = e};
    b->n = 0;
    int r = decode(&d, n);
    if (r < 0)
        b->n = 0;
    return r == -ENOMEM ? err_sys(e, r, "a block of %zu bytes", n) : r;
}

void tsmblock_free(struct tsmblock *b)
{
    free(b->times);
    free(b->values);
    free(b->strings);
    *b = (struct tsmblock){0};
}
