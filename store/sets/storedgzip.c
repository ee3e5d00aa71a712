/* SPDX-License-Identifier: MIT */
#include "store/sets/storedgzip.h"

#include <string.h>
#include <sys/types.h>

#define HEAD 10       /* before the name */
#define BLOCK 65535u  /* bytes that a stored block holds */
#define BLOCK_HEAD 5u /* before them */
#define TRAILER 8

/* At least one, which says that it is the last. */
static uint64_t storedgzip_blocks(uint64_t size)
{
    return size ? (size + BLOCK - 1) / BLOCK : 1;
}

uint64_t storedgzip_size(size_t name, uint64_t size)
{
    return HEAD + name + 1 + size + storedgzip_blocks(size) * BLOCK_HEAD + TRAILER;
}

static void put_little_endian(uint8_t *to, uint32_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

/* The header byte by byte, since a name has any length. */
static uint8_t storedgzip_head_byte(const struct storedgzip *g, uint64_t at)
{
    static const uint8_t fixed[HEAD] = {0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0xff};
    return at < HEAD ? fixed[at] : (uint8_t)g->name[at - HEAD];
}

/* Copies what lies in [off, off + n) of a piece of `size` bytes at `at`; how much that is. */
static size_t storedgzip_copy(char *buf, size_t n, uint64_t off, const uint8_t *piece, size_t size)
{
    size_t some = size - (size_t)off < n ? size - (size_t)off : n;
    memcpy(buf, piece + off, some);
    return some;
}

/* Reads from one part of the block that begins at byte `at` of the data: its header, or what it
 * holds. How much, or -errno. */
static ssize_t storedgzip_read_block(const struct storedgzip *g, uint64_t at, char *buf, size_t n,
                                     uint64_t off, struct err *e)
{
    uint32_t len = g->size - at < BLOCK ? (uint32_t)(g->size - at) : BLOCK;
    uint8_t head[BLOCK_HEAD] = {at + len == g->size};
    if (off < BLOCK_HEAD) {
        put_little_endian(head + 1, len, 2);
        put_little_endian(head + 3, ~len, 2);
        return (ssize_t)storedgzip_copy(buf, n, off, head, BLOCK_HEAD);
    }
    off -= BLOCK_HEAD;
    if (n > len - off)
        n = len - (size_t)off;
    int r = g->read(g->ctx, buf, n, at + off, e);
    return r < 0 ? r : (ssize_t)n;
}

static ssize_t storedgzip_read_trailer(const struct storedgzip *g, char *buf, size_t n,
                                       uint64_t off, struct err *e)
{
    uint8_t trailer[TRAILER];
    uint32_t crc;
    int r = g->crc(g->ctx, &crc, e);
    if (r < 0)
        return r;
    put_little_endian(trailer, crc, 4);
    put_little_endian(trailer + 4, (uint32_t)g->size, 4);
    return (ssize_t)storedgzip_copy(buf, n, off, trailer, TRAILER);
}

static ssize_t storedgzip_read_some(const struct storedgzip *g, char *buf, size_t n, uint64_t off,
                                    struct err *e)
{
    uint64_t head = HEAD + strlen(g->name) + 1;
    uint64_t body = g->size + storedgzip_blocks(g->size) * BLOCK_HEAD;
    if (off < head) {
        *buf = (char)storedgzip_head_byte(g, off);
        return 1;
    }
    off -= head;
    if (off >= body)
        return storedgzip_read_trailer(g, buf, n, off - body, e);
    uint64_t block = off / (BLOCK_HEAD + BLOCK);
    return storedgzip_read_block(g, block * BLOCK, buf, n, off % (BLOCK_HEAD + BLOCK), e);
}

int storedgzip_read(const struct storedgzip *g, void *buf, size_t n, uint64_t off, struct err *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = storedgzip_read_some(g, (char *)buf + done, n - done, off + done, e);
        if (r < 0)
            return (int)r;
        done += (size_t)r;
    }
    return 0;
}
