/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock_internal.h"

#include "store/base/array.h"

#include <errno.h>
#include <snappy-c.h>

static int tsmtexts_unpack(struct decoder *d, size_t *n)
{
    struct tsmblock *b = d->b;
    const char *packed = (const char *)d->in.p;
    const char *what = "strings that do not unpack";
    if (snappy_uncompressed_length(packed, d->in.n, n) != SNAPPY_OK || *n > TSMBLOCK_MAX_STRINGS)
        return decoder_bad(d, what);
    if (*n > b->strings_cap || !b->strings) {
        /* With enough room already, the unpacking itself checks. */
        if (snappy_validate_compressed_buffer(packed, d->in.n) != SNAPPY_OK)
            return decoder_bad(d, what);
        if (!array_renew(&b->strings, &b->strings_cap, *n))
            return -ENOMEM;
    }
    if (snappy_uncompress(packed, d->in.n, b->strings, n) != SNAPPY_OK)
        return decoder_bad(d, what);
    return 0;
}

int tsmtexts_decode(struct decoder *d)
{
    uint64_t first, len;
    size_t n;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return decoder_bad(d, "strings of an unknown encoding");
    int r = tsmtexts_unpack(d, &n);
    if (r < 0)
        return r;
    struct bytes in = {(const uint8_t *)d->b->strings, n};
    for (size_t i = 0; i < d->b->n; i++) {
        if (!bytes_uvarint(&in, &len) || len > in.n)
            return decoder_too_few(d);
        d->b->values[i].s.off = (uint32_t)(n - in.n);
        d->b->values[i].s.len = (uint32_t)len;
        bytes_skip(&in, len);
    }
    if (in.n > 0)
        return decoder_bad(d, "more values than times");
    d->in.n = 0;
    return 0;
}
