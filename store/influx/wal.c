/* SPDX-License-Identifier: MIT */
#include "store/influx/wal.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/bytes.h"
#include "store/influx/walentry.h"

#include <errno.h>
#include <snappy-c.h>
#include <stdbool.h>

#define HEADER 5
#define VARINT 5 /* at most, of 32 bits */
#define READ_AHEAD (256 << 10)

/* A part of the file in memory, and room for one entry's payload. */
struct segment {
    int fd;
    uint64_t wal_cut;
    uint64_t at; /* the file offset of buf[0] */
    size_t have, cap;
    uint8_t *buf;
    size_t plain_cap;
    char *plain;
};

static void segment_release(struct segment *s)
{
    free(s->buf);
    free(s->plain);
}

/* Makes n bytes at off, which end below wal_cut, addressable at *p until the next call. */
static int wal_segment_at(struct segment *s, uint64_t off, size_t n, const uint8_t **p)
{
    if (off < s->at || off + n > s->at + s->have) {
        size_t want = n > READ_AHEAD ? n : READ_AHEAD;
        if (want > s->wal_cut - off)
            want = (size_t)(s->wal_cut - off);
        s->have = 0;
        if (!array_renew(&s->buf, &s->cap, want))
            return -ENOMEM;
        int r = io_pread_all(s->fd, s->buf, want, off);
        if (r < 0)
            return r;
        s->at = off;
        s->have = want;
    }
    *p = s->buf + (off - s->at);
    return 0;
}

/* Whether len bytes of snappy can unpack to n. A copy makes at most 64 bytes of 3, and no element
 * takes more than 6 bytes to make one. False claims by holes or torn entries fail here, before they
 * are read. */
static bool is_plausible(uint64_t len, uint64_t n)
{
    return n <= 22 * len && len <= 6 * n + 5;
}

/* 0 if the len bytes at src unpack to a payload of this type, else -EBADMSG. */
static int wal_payload(struct segment *s, uint8_t type, const uint8_t *src, size_t len)
{
    const char *packed = (const char *)src;
    size_t n;
    if (snappy_uncompressed_length(packed, len, &n) != SNAPPY_OK ||
        snappy_validate_compressed_buffer(packed, len) != SNAPPY_OK)
        return -EBADMSG;
    if (!array_renew(&s->plain, &s->plain_cap, n))
        return -ENOMEM;
    if (snappy_uncompress(packed, len, s->plain, &n) != SNAPPY_OK)
        return -EBADMSG;
    return walentry_walk(type, s->plain, n, &(struct walentry_visitor){0}) == 0 ? 0 : -EBADMSG;
}

/* -EBADMSG if no entry can begin with these n bytes, of which payload are of its payload. */
static int wal_head(const uint8_t *p, size_t payload, size_t len)
{
    size_t n, head = len < payload ? len : payload;
    if (p[0] < WALENTRY_WRITE || p[0] > WALENTRY_DELETE_RANGE || len == 0)
        return -EBADMSG;
    if (snappy_uncompressed_length((const char *)p + HEADER, head, &n) == SNAPPY_OK)
        return is_plausible(len, n) ? 0 : -EBADMSG;
    return head == len || head == VARINT ? -EBADMSG : 0;
}

/* The length of the whole entry at off; 0 if it is torn, -EBADMSG if it is not one. */
static int64_t wal_entry(struct segment *s, uint64_t off)
{
    const uint8_t *p;
    uint64_t left = s->wal_cut - off;
    if (left == 0)
        return 0;
    size_t peek = left < HEADER + VARINT ? (size_t)left : HEADER + VARINT;
    int r = wal_segment_at(s, off, peek, &p);
    if (r < 0)
        return r;
    uint8_t type = p[0];
    if (left < HEADER)
        return type < WALENTRY_WRITE || type > WALENTRY_DELETE_RANGE ? -EBADMSG : 0;
    uint64_t len = 0;
    bytes_be(&(struct bytes){p + 1, 4}, 4, &len);
    r = wal_head(p, peek - HEADER, len);
    if (r < 0 || len > left - HEADER)
        return r;
    r = wal_segment_at(s, off + HEADER, len, &p);
    if (r == 0)
        r = wal_payload(s, type, p, len);
    return r < 0 ? r : (int64_t)(HEADER + len);
}

static int check_range(int fd, uint64_t from, uint64_t wal_cut)
{
    struct stat st;
    if (from > wal_cut)
        return -EINVAL;
    if (fstat(fd, &st) < 0)
        return -errno;
    return (uint64_t)st.st_size < wal_cut ? -ENODATA : 0;
}

int wal_scan(int fd, uint64_t from, uint64_t wal_cut, uint64_t *good, enum wal_end *end)
{
    int r = check_range(fd, from, wal_cut);
    if (r < 0)
        return r;
    cleanup(segment_release) struct segment s = {.fd = fd, .wal_cut = wal_cut};
    uint64_t off = from;
    int64_t n;
    while ((n = wal_entry(&s, off)) > 0)
        off += (uint64_t)n;
    if (n < 0 && n != -EBADMSG)
        return (int)n;
    *good = off;
    *end = off == wal_cut ? WAL_WHOLE : n == 0 ? WAL_TORN : WAL_BAD;
    return 0;
}

/* The next offset at or after off that may hold data. */
static uint64_t skip_sparse(int fd, uint64_t off, uint64_t wal_cut)
{
    off_t data = lseek(fd, (off_t)off, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? wal_cut : off;
    return (uint64_t)data < wal_cut ? (uint64_t)data : wal_cut;
}

int wal_hole(int fd, uint64_t from, uint64_t wal_cut, uint64_t *next)
{
    int r = check_range(fd, from, wal_cut);
    if (r < 0)
        return r;
    autofree uint8_t *buf = malloc(READ_AHEAD);
    if (!buf)
        return -ENOMEM;
    uint64_t off = from;
    while (off < wal_cut && (off = skip_sparse(fd, off, wal_cut)) < wal_cut) {
        size_t n = wal_cut - off < READ_AHEAD ? (size_t)(wal_cut - off) : READ_AHEAD;
        r = io_pread_all(fd, buf, n, off);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++)
            if (buf[i]) {
                *next = off + i;
                return 0;
            }
        off += n;
    }
    *next = wal_cut;
    return 0;
}
