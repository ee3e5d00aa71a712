/* SPDX-License-Identifier: MIT */
/* Blocks, TSM files, tombstones and WAL entries made in memory, and a source that reads them. */
#ifndef INFLUXFS_TESTS_TSM_BUILDER_H
#define INFLUXFS_TESTS_TSM_BUILDER_H

#include "store/influx/source.h"
#include "store/influx/value.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <snappy-c.h>
#include <zlib.h>

static inline void add_be(struct buffer *b, uint64_t v, int bytes)
{
    while (bytes--) {
        uint8_t byte = (uint8_t)(v >> 8 * bytes);
        buffer_add(b, &byte, 1);
    }
}

static inline void add_uvarint(struct buffer *b, uint64_t v)
{
    do {
        uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        buffer_add(b, &byte, 1);
        v >>= 7;
    } while (v);
}

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (0 - (uint64_t)(v < 0));
}

/* Words of simple8b: each as many values as fit. The values are below 2^60. */
static inline void add_simple8b(struct buffer *b, const uint64_t *v, size_t n)
{
    static const int many[] = {60, 30, 20, 15, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1};
    static const int bits[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 60};
    for (size_t at = 0; at < n;) {
        size_t ones = 0;
        while (at + ones < n && v[at + ones] == 1)
            ones++;
        if (ones >= 120) {
            add_be(b, ones >= 240 ? 0 : UINT64_C(1) << 60, 8);
            at += ones >= 240 ? 240 : 120;
            continue;
        }
        for (int s = 0; s < 14; s++) {
            size_t take = (size_t)many[s], fit = 0;
            uint64_t word = (uint64_t)(s + 2) << 60;
            while (fit < take && at + fit < n && v[at + fit] >> bits[s] == 0) {
                word |= v[at + fit] << (fit * (size_t)bits[s]);
                fit++;
            }
            if (fit < take)
                continue;
            add_be(b, word, 8);
            at += take;
            break;
        }
    }
}

/* A bit stream, the most significant bit first. */
static inline void add_bits(struct buffer *b, size_t *at, uint64_t v, int n)
{
    for (; n > 0; n--, (*at)++) {
        if (*at % 8 == 0)
            buffer_add(b, "", 1);
        if (v >> (n - 1) & 1)
            b->p[b->n - 1] |= (char)(0x80 >> *at % 8);
    }
}

static inline void add_floats(struct buffer *b, const double *v, size_t n)
{
    size_t at = 0;
    uint64_t before = 0, bits;
    int leading = -1, trailing = 0;
    buffer_add(b, "\x10", 1);
    for (size_t i = 0; i <= n; i++) {
        bits = 0x7ff8000000000001;
        if (i < n)
            memcpy(&bits, &v[i], 8);
        uint64_t x = bits ^ before;
        before = bits;
        if (i == 0) {
            add_bits(b, &at, bits, 64);
            continue;
        }
        add_bits(b, &at, x != 0, 1);
        if (x == 0)
            continue;
        int lead = __builtin_clzll(x), trail = __builtin_ctzll(x);
        lead = lead > 31 ? 31 : lead;
        bool keep = leading >= 0 && lead >= leading && trail >= trailing;
        add_bits(b, &at, !keep, 1);
        if (!keep) {
            leading = lead;
            trailing = trail;
            add_bits(b, &at, (uint64_t)lead, 5);
            add_bits(b, &at, (uint64_t)(64 - lead - trail) & 63, 6);
        }
        add_bits(b, &at, x >> trailing, 64 - leading - trailing);
    }
}

static inline void add_packed(struct buffer *b, const struct buffer *plain)
{
    size_t n = snappy_max_compressed_length(plain->n);
    char *packed = malloc(n);
    if (!packed || snappy_compress(plain->p ? plain->p : "", plain->n, packed, &n) != SNAPPY_OK)
        abort();
    buffer_add(b, packed, n);
    free(packed);
}

/* A block out of its parts. */
static inline struct buffer block(enum value_type type, struct buffer *times, struct buffer *values)
{
    struct buffer b = {0};
    add_be(&b, type, 1);
    add_uvarint(&b, times->n);
    buffer_add(&b, times->p, times->n);
    buffer_add(&b, values->p, values->n);
    buffer_free(times);
    buffer_free(values);
    return b;
}

/* The next number of a sequence, below a limit. Its state begins with anything but 0. */
static inline uint32_t any_below(uint32_t *state, uint32_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

/* Adds a block to a file, and its place to the index; frees the block. */
static inline void tsm_add_block(struct buffer *f, struct buffer *index, struct buffer *block)
{
    add_be(index, f->n, 8);
    add_be(index, block->n + 4, 4);
    add_be(f, crc32(0, (const Bytef *)block->p, (uInt)block->n), 4);
    buffer_add(f, block->p, block->n);
    buffer_free(block);
}

/* Ends a file with its index, which is freed, and the index's place. */
static inline void tsm_end(struct buffer *f, struct buffer *index)
{
    uint64_t at = f->n;
    buffer_add(f, index->p, index->n);
    add_be(f, at, 8);
    buffer_free(index);
}

/* n times, `step` apart, as their first, their difference and their number. */
static inline struct buffer times_rle(int64_t first, uint64_t step, size_t n)
{
    struct buffer b = {0};
    buffer_add(&b, "\x20", 1);
    add_be(&b, (uint64_t)first, 8);
    add_uvarint(&b, step);
    add_uvarint(&b, n);
    return b;
}

/* Integers that count up from `first`. */
static inline struct buffer integers_rle(int64_t first, size_t n)
{
    struct buffer b = {0};
    buffer_add(&b, "\x20", 1);
    add_be(&b, zigzag(first), 8);
    add_uvarint(&b, zigzag(1));
    add_uvarint(&b, n - 1);
    return b;
}

/* A TSM file of keys with integers: for each key `blocks` blocks of ten points, so many seconds
 * apart from time 0 on, counting up from 0. */
static inline struct buffer tsm_file_every(int64_t step, const char *const *keys, size_t nkeys,
                                           size_t blocks)
{
    struct buffer f = {0}, index = {0};
    buffer_add(&f, "\x16\xd1\x16\xd1\x01", 5);
    for (size_t k = 0; k < nkeys; k++) {
        add_be(&index, strlen(keys[k]), 2);
        buffer_add(&index, keys[k], strlen(keys[k]));
        add_be(&index, VALUE_INTEGER, 1);
        add_be(&index, blocks, 2);
        for (size_t i = 0; i < blocks; i++) {
            int64_t first = (int64_t)i * 10;
            struct buffer times =
                times_rle(first * step * 1000000000, (uint64_t)step * 1000000000, 10);
            struct buffer values = integers_rle(first, 10);
            struct buffer b = block(VALUE_INTEGER, &times, &values);
            add_be(&index, (uint64_t)(first * step) * 1000000000, 8);
            add_be(&index, (uint64_t)((first + 9) * step) * 1000000000, 8);
            tsm_add_block(&f, &index, &b);
        }
    }
    tsm_end(&f, &index);
    return f;
}

static inline struct buffer tsm_file(const char *const *keys, size_t nkeys, size_t blocks)
{
    return tsm_file_every(1, keys, nkeys, blocks);
}

/* A record of a tombstone of version 2 and later. */
static inline void add_delete(struct buffer *b, const char *key, int64_t min, int64_t max)
{
    add_be(b, strlen(key), 4);
    buffer_add(b, key, strlen(key));
    add_be(b, (uint64_t)min, 8);
    add_be(b, (uint64_t)max, 8);
}

static inline void add_gzip(struct buffer *b, const struct buffer *plain)
{
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    size_t n = deflateBound(&z, plain->n) + 64;
    uint8_t *out = malloc(n);
    z.next_in = (Bytef *)plain->p;
    z.avail_in = (uInt)plain->n;
    z.next_out = out;
    z.avail_out = (uInt)n;
    if (!out || deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    buffer_add(b, out, n - z.avail_out);
    deflateEnd(&z);
    free(out);
}

/* An entry of a WAL segment. */
static inline void add_entry(struct buffer *b, int type, const struct buffer *payload)
{
    struct buffer packed = {0};
    add_packed(&packed, payload);
    add_be(b, (uint64_t)type, 1);
    add_be(b, packed.n, 4);
    buffer_add(b, packed.p, packed.n);
    buffer_free(&packed);
}

static inline int read_buffer(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct buffer *b = ctx;
    if (off > b->n || n > b->n - off)
        return err_set(e, -EIO, "read outside of the file: a bug");
    memcpy(buf, b->p + off, n);
    return 0;
}

static inline struct source source_of(struct buffer *b)
{
    return (struct source){read_buffer, b, b->n, "a file"};
}

#endif
