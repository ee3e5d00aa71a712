/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock_internal.h"

#include "store/influx/simple8b.h"

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static int tsmints_raw(struct decoder *d)
{
    struct tsmblock *b = d->b;
    uint64_t v = 0;
    for (size_t i = 0; i < b->n; i++, bytes_skip(&d->in, 8)) {
        if (d->in.n < 8)
            return decoder_too_few(d);
        b->values[i].u = v += (uint64_t)unzigzag(bytes_load(d->in.p));
    }
    return 0;
}

static int tsmints_simple8b(struct decoder *d)
{
    union value *values = d->b->values;
    struct bytes in;
    uint64_t v;
    size_t i = 1, n = d->b->n, more = 0;
    if (!bytes_be(&d->in, 8, &v))
        return decoder_too_few(d);
    for (in = d->in; i < n && in.n >= 8; bytes_skip(&in, 8), i += more)
        if ((more = simple8b_count(in.p)) <= n - i)
            simple8b_unpack(in.p, (uint64_t *)values + i);
    d->in = in;
    if (i < n)
        return decoder_too_few(d);
    if (i > n)
        return decoder_bad(d, "more values than times");
    values[0].u = v = (uint64_t)unzigzag(v);
    for (i = 1; i < n; i++)
        values[i].u = v += (uint64_t)unzigzag(values[i].u);
    return 0;
}

static int tsmints_rle(struct decoder *d)
{
    uint64_t v, delta, count;
    if (!bytes_be(&d->in, 8, &v) || !bytes_uvarint(&d->in, &delta) ||
        !bytes_uvarint(&d->in, &count))
        return decoder_too_few(d);
    if (count != d->b->n - 1)
        return decoder_bad(d, "not as many values as times");
    v = (uint64_t)unzigzag(v);
    for (size_t i = 0; i < d->b->n; i++, v += (uint64_t)unzigzag(delta))
        d->b->values[i].u = v;
    return 0;
}

int tsmints_decode(struct decoder *d)
{
    uint64_t first;
    if (!bytes_be(&d->in, 1, &first))
        return decoder_too_few(d);
    switch (first >> 4) {
    case ENCODING_RAW:
        return tsmints_raw(d);
    case ENCODING_SIMPLE8B:
        return tsmints_simple8b(d);
    case ENCODING_RLE:
        return tsmints_rle(d);
    default:
        return decoder_bad(d, "integers of an unknown encoding");
    }
}
