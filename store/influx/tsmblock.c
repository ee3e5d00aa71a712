/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock_internal.h"

#include <errno.h>
#include <stdlib.h>

static int tsmblock_bools(struct decoder *d)
{
    uint64_t first, count;
    if (!bytes_be(&d->in, 1, &first) || first != ENCODING_ONLY)
        return decoder_bad(d, "booleans of an unknown encoding");
    if (!bytes_uvarint(&d->in, &count) || count != d->b->n)
        return decoder_bad(d, "not as many values as times");
    const uint8_t *p = d->in.p;
    if (!bytes_skip(&d->in, (count + 7) / 8))
        return decoder_too_few(d);
    for (size_t i = 0; i < count; i++)
        d->b->values[i].b = p[i / 8] >> (7 - i % 8) & 1;
    return 0;
}

static int tsmblock_values(struct decoder *d)
{
    switch (d->b->type) {
    case VALUE_FLOAT:
        return tsmfloats_decode(d);
    case VALUE_INTEGER:
    case VALUE_UNSIGNED:
        return tsmints_decode(d);
    case VALUE_BOOLEAN:
        return tsmblock_bools(d);
    default:
        return tsmtexts_decode(d);
    }
}

/* The type and the times; *values is then what is left of the n bytes. */
static int tsmblock_head(struct decoder *d, size_t n, struct bytes *values)
{
    uint64_t type, len;
    if (!bytes_be(&d->in, 1, &type) || type >= VALUE_TYPES)
        return decoder_bad(d, "values of an unknown type");
    d->b->type = (enum value_type)type;
    if (!bytes_uvarint(&d->in, &len) || len > d->in.n)
        return decoder_bad(d, "times that leave the block");
    const uint8_t *p = d->in.p + len;
    d->in.n = (size_t)len;
    *values = (struct bytes){p, (size_t)(d->start + n - p)};
    return tsmtimes_decode(d);
}

static int tsmblock_run(struct tsmblock *b, const void *p, size_t n, bool with_values,
                        struct err *e)
{
    struct decoder d = {.b = b, .start = p, .in = {p, n}, .e = e};
    struct bytes values = {0};
    b->n = 0;
    int r = tsmblock_head(&d, n, &values);
    if (r == 0 && with_values) {
        d.in = values;
        r = tsmblock_values(&d);
        if (r == 0 && d.in.n > 0)
            r = decoder_bad(&d, "more than the values");
    }
    if (r < 0)
        b->n = 0;
    return r == -ENOMEM ? err_sys(e, r, "a block of %zu bytes", n) : r;
}

int tsmblock_decode(struct tsmblock *b, const void *p, size_t n, struct err *e)
{
    return tsmblock_run(b, p, n, true, e);
}

int tsmblock_decode_times(struct tsmblock *b, const void *p, size_t n, struct err *e)
{
    return tsmblock_run(b, p, n, false, e);
}

static int tsmblock_copy_strings(struct tsmblock *to, const struct tsmblock *from, size_t first)
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
    if (decoder_reserve(to, end - first) < 0)
        return -ENOMEM;
    to->type = from->type;
    to->n = end - first;
    memcpy(to->times, from->times + first, to->n * sizeof(*to->times));
    memcpy(to->values, from->values + first, to->n * sizeof(*to->values));
    int r = from->type == VALUE_STRING ? tsmblock_copy_strings(to, from, first) : 0;
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
