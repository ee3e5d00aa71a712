/* SPDX-License-Identifier: MIT */
#include "store/restore/spool.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void spool_init(struct spool *s, int (*open)(void *arg, struct err *e), void *arg)
{
    *s = (struct spool){.open = open, .arg = arg, .fd = -1};
}

void spool_free(struct spool *s)
{
    cleanup_close(&s->fd);
    free(s->ranges);
    spool_init(s, s->open, s->arg);
}

/* Adds [from, to) to the ranges, joining all that it touches. */
static int spool_add(struct spool *s, uint64_t from, uint64_t to)
{
    if (!array_grow(&s->ranges, s->n))
        return -ENOMEM;
    size_t i = 0, k;
    while (i < s->n && s->ranges[i].to < from)
        i++;
    for (k = i; k < s->n && s->ranges[k].from <= to; k++) {
        from = s->ranges[k].from < from ? s->ranges[k].from : from;
        to = s->ranges[k].to > to ? s->ranges[k].to : to;
    }
    memmove(s->ranges + i + 1, s->ranges + k, (s->n - k) * sizeof(*s->ranges));
    s->n = s->n - (k - i) + 1;
    s->ranges[i] = (struct spool_range){from, to};
    return 0;
}

int spool_put(struct spool *s, const void *buf, size_t n, uint64_t off, struct err *e)
{
    if (s->fd < 0) {
        int fd = s->open(s->arg, e);
        if (fd < 0)
            return fd;
        s->fd = fd;
    }
    int r = io_pwrite_all(s->fd, buf, n, off);
    if (r == 0)
        r = spool_add(s, off, off + n);
    return r < 0 ? err_sys(e, r, "bytes that came out of order cannot be set aside") : 0;
}

long spool_take(struct spool *s, uint64_t off, void *buf, size_t max, struct err *e)
{
    if (s->n == 0 || s->ranges[0].from != off)
        return 0;
    struct spool_range *first = &s->ranges[0];
    size_t n = first->to - off < max ? (size_t)(first->to - off) : max;
    int r = io_pread_all(s->fd, buf, n, off);
    if (r < 0)
        return err_sys(e, r, "bytes that were set aside");
    /* Where holes cannot be punched, the space is freed at the end. */
    fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)n);
    first->from += n;
    if (first->from == first->to)
        memmove(s->ranges, s->ranges + 1, --s->n * sizeof(*s->ranges));
    return (long)n;
}

uint64_t spool_next(const struct spool *s, uint64_t off)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->ranges[i].to > off)
            return s->ranges[i].from > off ? s->ranges[i].from : off;
    return UINT64_MAX;
}

void spool_truncate(struct spool *s, uint64_t size)
{
    while (s->n && s->ranges[s->n - 1].from >= size)
        s->n--;
    if (s->n && s->ranges[s->n - 1].to > size)
        s->ranges[s->n - 1].to = size;
}
