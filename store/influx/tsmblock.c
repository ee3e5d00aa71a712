/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock.h"

#include "store/influx/bytes.h"

#include <endian.h>
#include <errno.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

enum encoding { ENCODING_RAW = 0, ENCODING_SIMPLE8B = 1, ENCODING_RLE = 2 };

#define ENCODING_ONLY 0x10 /* the first byte of floats, booleans and strings */
#define FLOAT_END 0x7ff8000000000001u
#define SLACK 4 /* room behind the points, as they are unpacked so many at once */

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

/* Room for n points and SLACK, those that are there kept. */
static int reserve(struct tsmblock *b, size_t n)
{
    n += SLACK;
    if (n <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : 16;
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

/* Eight bytes, big-endian. */
static uint64_t load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return be64toh(v);
}

static const struct {
    uint8_t n, bits;
} packing[16] = {{240, 0}, {120, 0}, {60, 1}, {30, 2}, {20, 3}, {15, 4}, {12, 5}, {10, 6},
                 {8, 7},   {7, 8},   {6, 10}, {5, 12}, {4, 15}, {3, 20}, {2, 30}, {1, 60}};

static size_t simple8b_count(const uint8_t *word)
{
    return packing[*word >> 4].n;
}

/* Unpacks a word; up to SLACK - 1 numbers behind its own are overwritten. By fours, as a loop of
 * exactly as many as there are ends where the processor does not expect it. */
static void simple8b(const uint8_t *p, uint64_t *out)
{
    uint64_t word = load(p);
    size_t n = packing[word >> 60].n;
    unsigned bits = packing[word >> 60].bits;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    if (n == 1) {
        *out = word & mask;
        return;
    }
    if (bits == 0) {
        for (size_t i = 0; i < n; i++)
            out[i] = 1;
        return;
    }
    for (size_t i = 0; i < n; i += SLACK, word >>= bits) {
        out[i] = word & mask;
        out[i + 1] = (word >>= bits) & mask;
        out[i + 2] = (word >>= bits) & mask;
        out[i + 3] = (word >>= bits) & mask;
    }
}

static int too_many(const struct decoder *d)
{
    return bad(d, "more points than a block can have");
}

/* The first time that is less than the one before it; how many there are if none is. */
static size_t find_descent(const struct tsmblock *b)
{
    unsigned any = 0;
    size_t i;
    for (i = 1; i < b->n; i++)
        any |= b->times[i] < b->times[i - 1];
    if (!any)
        return b->n;
    for (i = 1; b->times[i] >= b->times[i - 1];)
        i++;
    return i;
}

/* The differences in b->times become times. */
static void add_up(struct tsmblock *b, uint64_t divisor)
{
    uint64_t t = (uint64_t)b->times[0];
    for (size_t i = 1; i < b->n; i++)
        b->times[i] = (int64_t)(t += (uint64_t)b->times[i] * divisor);
}

static int times_raw(struct decoder *d)
{
    struct tsmblock *b = d->b;
    const uint8_t *p = d->in.p;
    size_t n = d->in.n / 8;
    b->n = n < TSMBLOCK_MAX_POINTS ? n : TSMBLOCK_MAX_POINTS;
    if (n == 0)
        return 0;
    int r = reserve(b, b->n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < b->n; i++)
        b->times[i] = (int64_t)load(p + i * 8);
    add_up(b, 1);
    size_t descent = find_descent(b);
    bytes_skip(&d->in, (descent < n ? descent + 1 : n) * 8);
    if (descent < b->n)
        return bad(d, "times that go back");
    return b->n < n ? too_many(d) : 0;
}

/* The differences as they are; *all is whether they fit. */
static int unpack_times(struct decoder *d, bool *all)
{
    struct bytes in = d->in; /* else looked up again after each number that is stored */
    size_t n = d->b->n, room = 0;
    int r = 0;
    for (*all = true; *all && in.n >= 8; bytes_skip(&in, 8)) {
        size_t more = simple8b_count(in.p);
        if (room < more) {
            if ((r = reserve(d->b, n + more)) < 0)
                return r;
            room = d->b->cap - SLACK - n;
        }
        simple8b(in.p, (uint64_t *)d->b->times + n);
        *all = more <= TSMBLOCK_MAX_POINTS - n;
        n = *all ? n + more : TSMBLOCK_MAX_POINTS;
        room -= more;
    }
    d->b->n = n;
    d->in = in;
    return 0;
}

static int times_simple8b(struct decoder *d, uint64_t divisor)
{
    struct tsmblock *b = d->b;
    uint64_t t;
    bool all;
    if (!bytes_be(&d->in, 8, &t))
        return bad(d, "times without a first one");
    const uint8_t *word = d->in.p;
    int r = reserve(b, 1);
    if (r < 0)
        return r;
    b->times[b->n++] = (int64_t)t;
    if ((r = unpack_times(d, &all)) < 0)
        return r;
    add_up(b, divisor);
    size_t descent = find_descent(b);
    if (descent < b->n) {
        for (size_t n = 1; n <= descent; word += 8)
            n += simple8b_count(word);
        d->in.p = word;
        return bad(d, "times that go back");
    }
    if (!all)
        return too_many(d);
    return d->in.n > 0 ? bad(d, "times that end within a word") : 0;
}

static int times_rle(struct decoder *d, uint64_t divisor)
{
    struct tsmblock *b = d->b;
    uint64_t t, delta, count;
    if (!bytes_be(&d->in, 8, &t) || !bytes_uvarint(&d->in, &delta) ||
        !bytes_uvarint(&d->in, &count))
        return bad(d, "times that end within a number");
    size_t n = count < TSMBLOCK_MAX_POINTS ? (size_t)count : TSMBLOCK_MAX_POINTS;
    int r = reserve(b, n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++, t += delta * divisor)
        b->times[i] = (int64_t)t;
    b->n = n;
    if (find_descent(b) < n)
        return bad(d, "times that go back");
    return n < count ? too_many(d) : 0;
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
    struct tsmblock *b = d->b;
    uint64_t v = 0;
    for (size_t i = 0; i < b->n; i++, bytes_skip(&d->in, 8)) {
        if (d->in.n < 8)
            return too_few(d);
        b->values[i].u = v += (uint64_t)unzigzag(load(d->in.p));
    }
    return 0;
}

static int integers_simple8b(struct decoder *d)
{
    union value *values = d->b->values;
    struct bytes in;
    uint64_t v;
    size_t i = 1, n = d->b->n, more = 0;
    if (!bytes_be(&d->in, 8, &v))
        return too_few(d);
    for (in = d->in; i < n && in.n >= 8; bytes_skip(&in, 8), i += more)
        if ((more = simple8b_count(in.p)) <= n - i)
            simple8b(in.p, (uint64_t *)values + i);
    d->in = in;
    if (i < n)
        return too_few(d);
    if (i > n)
        return bad(d, "more values than times");
    values[0].u = v = (uint64_t)unzigzag(v);
    for (i = 1; i < n; i++)
        values[i].u = v += (uint64_t)unzigzag(values[i].u);
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
    for (size_t i = 0; i < d->b->n; i++, v += (uint64_t)unzigzag(delta))
        d->b->values[i].u = v;
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

/* Bits from the most significant one of each byte, and the window of those that changed last. */
struct gorilla {
    const uint8_t *p;
    size_t at, n; /* bits */
    uint64_t v;
    unsigned significant, trailing; /* significant 0: there has been none yet */
};

/* Bytes that are read from the one that a value begins in: 7 + 13 + 64 bits and more. */
#define GORILLA_READS 16

/* The 64 bits at `at`. */
static inline uint64_t gorilla_bits(const struct gorilla *g)
{
    const uint8_t *p = g->p + g->at / 8;
    unsigned skip = g->at % 8;
    return load(p) << skip | p[8] >> (8 - skip);
}

/* NULL, or what is wrong. */
static inline const char *gorilla_next(struct gorilla *g)
{
    static const char *const torn = "fewer values than times";
    uint64_t bits = gorilla_bits(g);
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
    g->v ^= gorilla_bits(g) >> (64 - g->significant) << g->trailing;
    g->at += g->significant;
    return NULL;
}

/* Takes values from *i on, while GORILLA_READS bytes can be read at those that begin before bit
 * `until`. */
static const char *gorilla_take(struct gorilla *g, size_t until, union value *values, size_t n,
                                size_t *i)
{
    struct gorilla local = *g; /* in registers */
    const char *wrong = NULL;
    size_t k = *i;
    for (; !wrong && k < n && local.at < until; k++) {
        values[k].u = local.v;
        wrong = local.v == FLOAT_END ? "fewer values than times" : gorilla_next(&local);
    }
    *g = local;
    *i = k;
    return wrong;
}

static const char *gorilla(struct bytes *in, union value *values, size_t n)
{
    uint8_t tail[GORILLA_READS * 2] = {0};
    struct gorilla g = {.p = in->p, .at = 64, .n = in->n * 8};
    size_t i = 0;
    if (in->n < 8)
        return "fewer values than times";
    g.v = load(in->p);
    const char *wrong = NULL;
    if (in->n >= GORILLA_READS)
        wrong = gorilla_take(&g, (in->n - GORILLA_READS + 1) * 8, values, n, &i);
    size_t done = g.at / 8;
    bytes_skip(in, done);
    if (!wrong && i < n) {
        memcpy(tail, in->p, in->n); /* less than GORILLA_READS */
        g.p = tail;
        g.n -= done * 8;
        g.at -= done * 8;
        wrong = gorilla_take(&g, SIZE_MAX, values, n, &i);
        done = 0;
    }
    bytes_skip(in, (g.at + 7) / 8 - done);
    return !wrong && g.v != FLOAT_END ? "more values than times" : wrong;
}

static int decode_floats(struct decoder *d)
{
    uint64_t first;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return bad(d, "floats of an unknown encoding");
    const char *wrong = gorilla(&d->in, d->b->values, d->b->n);
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
    const char *what = "strings that do not unpack";
    if (snappy_uncompressed_length(packed, d->in.n, n) != SNAPPY_OK || *n > TSMBLOCK_MAX_STRINGS)
        return bad(d, what);
    if (*n > b->strings_cap || !b->strings) {
        /* Where there is room already, the unpacking itself will say. */
        if (snappy_validate_compressed_buffer(packed, d->in.n) != SNAPPY_OK)
            return bad(d, what);
        free(b->strings);
        b->strings_cap = 0;
        b->strings = malloc(*n + 1);
        if (!b->strings)
            return -ENOMEM;
        b->strings_cap = *n;
    }
    if (snappy_uncompress(packed, d->in.n, b->strings, n) != SNAPPY_OK)
        return bad(d, what);
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

/* The type and the times; *values is then what is left of the n bytes. */
static int decode_head(struct decoder *d, size_t n, struct bytes *values)
{
    uint64_t type, len;
    if (!bytes_be(&d->in, 1, &type) || type >= VALUE_TYPES)
        return bad(d, "values of an unknown type");
    d->b->type = (enum value_type)type;
    if (!bytes_uvarint(&d->in, &len) || len > d->in.n)
        return bad(d, "times that leave the block");
    const uint8_t *p = d->in.p + len;
    d->in.n = (size_t)len;
    *values = (struct bytes){p, (size_t)(d->start + n - p)};
    return decode_times(d);
}

static int decode(struct tsmblock *b, const void *p, size_t n, bool with_values, struct err *e)
{
    struct decoder d = {.b = b, .start = p, .in = {p, n}, .e = e};
    struct bytes values = {0};
    b->n = 0;
    int r = decode_head(&d, n, &values);
    if (r == 0 && with_values) {
        d.in = values;
        r = decode_values(&d);
        if (r == 0 && d.in.n > 0)
            r = bad(&d, "more than the values");
    }
    if (r < 0)
        b->n = 0;
    return r == -ENOMEM ? err_sys(e, r, "a block of %zu bytes", n) : r;
}

int tsmblock_decode(struct tsmblock *b, const void *p, size_t n, struct err *e)
{
    return decode(b, p, n, true, e);
}

int tsmblock_decode_times(struct tsmblock *b, const void *p, size_t n, struct err *e)
{
    return decode(b, p, n, false, e);
}

static int copy_strings(struct tsmblock *to, const struct tsmblock *from, size_t first)
{
    size_t bytes = 0;
    for (size_t i = 0; i < to->n; i++)
        bytes += from->values[first + i].s.len;
    if (bytes > to->strings_cap || !to->strings) {
        char *strings = realloc(to->strings, bytes + 1);
        if (!strings)
            return -ENOMEM;
        to->strings = strings;
        to->strings_cap = bytes;
    }
    bytes = 0;
    for (size_t i = 0; i < to->n; i++) {
        union value v = from->values[first + i];
        memcpy(to->strings + bytes, from->strings + v.s.off, v.s.len);
        to->values[i].s.off = (uint32_t)bytes;
        to->values[i].s.len = v.s.len;
        bytes += v.s.len;
    }
    return 0;
}

int tsmblock_copy(struct tsmblock *to, const struct tsmblock *from, size_t first, size_t end)
{
    to->n = 0;
    if (reserve(to, end - first) < 0)
        return -ENOMEM;
    to->type = from->type;
    to->n = end - first;
    memcpy(to->times, from->times + first, to->n * sizeof(*to->times));
    memcpy(to->values, from->values + first, to->n * sizeof(*to->values));
    int r = from->type == VALUE_STRING ? copy_strings(to, from, first) : 0;
    to->n = r < 0 ? 0 : to->n;
    return r;
}

void tsmblock_free(struct tsmblock *b)
{
    free(b->times);
    free(b->values);
    free(b->strings);
    *b = (struct tsmblock){0};
}
