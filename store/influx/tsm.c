/* SPDX-License-Identifier: MIT */
#include "store/influx/tsm.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define MAGIC "\x16\xd1\x16\xd1\x01"
#define HEADER 5
#define FOOTER 8
#define CRC 4
#define ENTRY 28 /* of one block in the index */
#define TYPES 5
#define WINDOW (256u << 10) /* more than a key, and than most blocks */

/* A part of the file in memory: two of them, since index and blocks are read side by side. */
struct window {
    uint8_t *buf;
    uint64_t at; /* where it lies in the TSM file */
    size_t n;
};

struct tsm {
    int fd;
    uint64_t off, size;
    uint64_t index;  /* where the index begins */
    uint64_t end;    /* and ends */
    uint64_t at;     /* how far it has been read */
    uint64_t blocks; /* bytes of the blocks seen so far */
    struct window of_index, of_blocks;
    char last[UINT16_MAX]; /* the key before */
    size_t nlast;
    struct err *e;
};

static uint64_t be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static int damaged(const struct tsm *t, uint64_t at, const char *what)
{
    return err_set(t->e, -EBADMSG, "byte %llu: %s", (unsigned long long)at, what);
}

/* Up to WINDOW bytes at `at`, which lie below limit; they stay until the next call. */
static int look(struct tsm *t, struct window *w, uint64_t at, size_t n, uint64_t limit,
                const uint8_t **out)
{
    if (at < w->at || at + n > w->at + w->n) {
        uint64_t left = limit - at;
        w->n = 0;
        size_t take = left < WINDOW ? (size_t)left : WINDOW;
        int r = io_pread_all(t->fd, w->buf, take, t->off + at);
        if (r < 0)
            return err_sys(t->e, r, "byte %llu", (unsigned long long)at);
        w->at = at;
        w->n = take;
    }
    *out = w->buf + (at - w->at);
    return 0;
}

/* The next n bytes of the index. */
static int next(struct tsm *t, size_t n, const uint8_t **out)
{
    if (n > t->end - t->at)
        return damaged(t, t->at, "the index ends within an entry");
    int r = look(t, &t->of_index, t->at, n, t->end, out);
    if (r == 0)
        t->at += n;
    return r;
}

static int check_data(struct tsm *t, uint64_t at, uint64_t size, uint8_t type)
{
    const uint8_t *p = NULL;
    int r = look(t, &t->of_blocks, at, CRC + 1, t->index, &p);
    if (r < 0)
        return r;
    uint32_t wanted = (uint32_t)be(p, CRC);
    if (p[CRC] != type)
        return damaged(t, at, "a block of another type than the index says");
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t done = CRC; done < size;) {
        size_t n = size - done < WINDOW ? (size_t)(size - done) : WINDOW;
        if ((r = look(t, &t->of_blocks, at + done, n, t->index, &p)) < 0)
            return r;
        crc = crc32(crc, p, (uInt)n);
        done += n;
    }
    return crc == wanted ? 0 : damaged(t, at, "the checksum of a block is wrong");
}

static int check_entry(struct tsm *t, uint8_t type)
{
    const uint8_t *p = NULL;
    uint64_t here = t->at;
    int r = next(t, ENTRY, &p);
    if (r < 0)
        return r;
    int64_t first = (int64_t)be(p, 8), last = (int64_t)be(p + 8, 8);
    uint64_t at = be(p + 16, 8), size = be(p + 24, 4);
    if (first > last)
        return damaged(t, here, "a block in the index ends before it begins");
    if (at < HEADER || at >= t->index || size <= CRC || size > t->index - at)
        return damaged(t, here, "a block in the index lies outside of the file");
    /* Else a small file could claim endless work. */
    if (size > t->index - HEADER - t->blocks)
        return damaged(t, here, "blocks in the index overlap");
    t->blocks += size;
    return check_data(t, at, size, type);
}

static int check_key(struct tsm *t)
{
    const uint8_t *p = NULL;
    uint64_t here = t->at;
    int r = next(t, 2, &p);
    if (r < 0)
        return r;
    size_t n = (size_t)be(p, 2);
    if ((r = next(t, n, &p)) < 0)
        return r;
    int d = memcmp(t->last, p, t->nlast < n ? t->nlast : n);
    if (n == 0 || (t->nlast && (d > 0 || (d == 0 && t->nlast >= n))))
        return damaged(t, here, "the keys of the index are not in order");
    memcpy(t->last, p, n);
    t->nlast = n;
    if ((r = next(t, 3, &p)) < 0)
        return r;
    uint8_t type = p[0];
    unsigned count = (unsigned)be(p + 1, 2);
    if (type >= TYPES || count == 0)
        return damaged(t, here, "a key of the index has no type that is known, or no blocks");
    while (r == 0 && count--)
        r = check_entry(t, type);
    return r;
}

static int check(struct tsm *t)
{
    uint8_t head[HEADER], foot[FOOTER] = {0};
    if (t->size < HEADER + FOOTER)
        return damaged(t, t->size, "too short for a TSM file");
    int r = io_pread_all(t->fd, head, HEADER, t->off);
    if (r == 0)
        r = io_pread_all(t->fd, foot, FOOTER, t->off + t->size - FOOTER);
    if (r < 0)
        return err_sys(t->e, r, "header and footer");
    if (memcmp(head, MAGIC, HEADER) != 0)
        return damaged(t, 0, "not the header of a TSM file");
    t->end = t->size - FOOTER;
    t->at = t->index = be(foot, FOOTER);
    if (t->index < HEADER || t->index >= t->end)
        return damaged(t, t->end, "the footer points outside of the file");
    while (r == 0 && t->at < t->end)
        r = check_key(t);
    return r;
}

int tsm_check(int fd, uint64_t off, uint64_t size, struct err *e)
{
    autofree struct tsm *t = calloc(1, sizeof(*t));
    autofree uint8_t *buf = malloc(2 * (size_t)WINDOW);
    if (!t || !buf)
        return err_sys(e, -ENOMEM, "checking a TSM file");
    *t = (struct tsm){.fd = fd, .off = off, .size = size, .e = e};
    t->of_index.buf = buf;
    t->of_blocks.buf = buf + WINDOW;
    return check(t);
}
