/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock_internal.h"

#include "store/influx/simple8b.h"

static int too_many(const struct decoder *d)
{
    return decoder_bad(d, "more points than a block can have");
}

/* The first time that is less than its predecessor; the number of times if there is none. */
static size_t tsmtimes_descent(const struct tsmblock *b)
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

static int tsmtimes_raw(struct decoder *d)
{
    struct tsmblock *b = d->b;
    const uint8_t *p = d->in.p;
    size_t n = d->in.n / 8;
    b->n = n < TSMBLOCK_MAX_POINTS ? n : TSMBLOCK_MAX_POINTS;
    if (n == 0)
        return 0;
    int r = decoder_reserve(b, b->n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < b->n; i++)
        b->times[i] = (int64_t)bytes_load(p + i * 8);
    add_up(b, 1);
    size_t descent = tsmtimes_descent(b);
    bytes_skip(&d->in, (descent < n ? descent + 1 : n) * 8);
    if (descent < b->n)
        return decoder_bad(d, "times that go back");
    return b->n < n ? too_many(d) : 0;
}

/* Unpacks the differences; *all: whether they fit. */
static int tsmtimes_unpack(struct decoder *d, bool *all)
{
    struct bytes in = d->in; /* else looked up again after each number that is stored */
    size_t n = d->b->n, space = 0;
    int r = 0;
    for (*all = true; *all && in.n >= 8; bytes_skip(&in, 8)) {
        size_t more = simple8b_count(in.p);
        if (space < more) {
            if ((r = decoder_reserve(d->b, n + more)) < 0)
                return r;
            space = d->b->cap - SIMPLE8B_SLACK - n;
        }
        simple8b_unpack(in.p, (uint64_t *)d->b->times + n);
        *all = more <= TSMBLOCK_MAX_POINTS - n;
        n = *all ? n + more : TSMBLOCK_MAX_POINTS;
        space -= more;
    }
    d->b->n = n;
    d->in = in;
    return 0;
}

static int tsmtimes_simple8b(struct decoder *d, uint64_t divisor)
{
    struct tsmblock *b = d->b;
    uint64_t t;
    bool all;
    if (!bytes_be(&d->in, 8, &t))
        return decoder_bad(d, "times without a first one");
    const uint8_t *word = d->in.p;
    int r = decoder_reserve(b, 1);
    if (r < 0)
        return r;
    b->times[b->n++] = (int64_t)t;
    if ((r = tsmtimes_unpack(d, &all)) < 0)
        return r;
    add_up(b, divisor);
    size_t descent = tsmtimes_descent(b);
    if (descent < b->n) {
        for (size_t n = 1; n <= descent; word += 8)
            n += simple8b_count(word);
        d->in.p = word;
        return decoder_bad(d, "times that go back");
    }
    if (!all)
        return too_many(d);
    return d->in.n > 0 ? decoder_bad(d, "times that end within a word") : 0;
}

static int tsmtimes_rle(struct decoder *d, uint64_t divisor)
{
    struct tsmblock *b = d->b;
    uint64_t t, delta, count;
    if (!bytes_be(&d->in, 8, &t) || !bytes_uvarint(&d->in, &delta) ||
        !bytes_uvarint(&d->in, &count))
        return decoder_bad(d, "times that end within a number");
    size_t n = count < TSMBLOCK_MAX_POINTS ? (size_t)count : TSMBLOCK_MAX_POINTS;
    int r = decoder_reserve(b, n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++, t += delta * divisor)
        b->times[i] = (int64_t)t;
    b->n = n;
    if (tsmtimes_descent(b) < n)
        return decoder_bad(d, "times that go back");
    return n < count ? too_many(d) : 0;
}

int tsmtimes_decode(struct decoder *d)
{
    uint64_t first, divisor = 1;
    if (!bytes_be(&d->in, 1, &first))
        return decoder_bad(d, "no times");
    if ((first & 15) > 12)
        return decoder_bad(d, "times with an unknown divisor");
    for (unsigned i = 0; i < (first & 15); i++)
        divisor *= 10;
    int r;
    switch (first >> 4) {
    case ENCODING_RAW:
        r = tsmtimes_raw(d);
        break;
    case ENCODING_SIMPLE8B:
        r = tsmtimes_simple8b(d, divisor);
        break;
    case ENCODING_RLE:
        r = tsmtimes_rle(d, divisor);
        break;
    default:
        return decoder_bad(d, "times of an unknown encoding");
    }
    if (r == 0 && d->in.n > 0)
        return decoder_bad(d, "more than the times");
    return r == 0 && d->b->n == 0 ? decoder_bad(d, "no points") : r;
}
