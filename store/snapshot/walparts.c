/* SPDX-License-Identifier: MIT */
#include "store/snapshot/walparts.h"

#include "store/base/cleanup.h"
#include "store/influx/wal.h"

#include <errno.h>
#include <string.h>

static int walparts_add(struct wal_cut **cut, uint64_t off, uint64_t len)
{
    size_t n = *cut ? (*cut)->nparts : 0;
    struct wal_cut *more = realloc(*cut, sizeof(*more) + (n + 1) * sizeof(more->part[0]));
    if (!more)
        return -ENOMEM;
    if (n == 0)
        memset(more, 0, sizeof(*more));
    more->part[n].off = off;
    more->part[n].len = len;
    more->nparts = n + 1;
    *cut = more;
    return 0;
}

/* *how says what follows the last entry, at bad_at: zeros up to the end do not count. */
static int walparts_scan(int fd, uint64_t end, uint64_t *known, struct wal_cut **cut,
                         enum wal_end *how)
{
    uint64_t pos = 0, good;
    int r = wal_scan(fd, *known <= end ? *known : 0, end, &good, how);
    if (r < 0)
        return r;
    *known = good;
    for (;;) {
        r = walparts_add(cut, pos, good - pos);
        if (r < 0 || good == end)
            return r;
        r = wal_hole(fd, good, end, &pos);
        if (r == 0 && pos == end)
            *how = WAL_WHOLE;
        if (r < 0 || pos == end)
            return r;
        if (pos > good)
            r = wal_scan(fd, pos, end, &good, how);
        if (r < 0 || good == pos) {
            (*cut)->bad_at = pos;
            return r;
        }
    }
}

int walparts_find(int fd, uint64_t size, bool growing, uint64_t *known, struct wal_cut **out)
{
    autofree struct wal_cut *cut = NULL;
    enum wal_end how;
    int r = walparts_scan(fd, size, known, &cut, &how);
    if (r < 0)
        return r;
    if (how == WAL_BAD || (how == WAL_TORN && !growing))
        cut->nbad = size - cut->bad_at;
    *out = steal_ptr(&cut);
    return 0;
}

uint64_t walparts_size(const struct wal_cut *cut)
{
    uint64_t size = 0;
    for (size_t i = 0; i < cut->nparts; i++)
        size += cut->part[i].len;
    return size;
}

size_t walparts_at(const struct wal_cut *cut, uint64_t off, size_t n, uint64_t *at)
{
    size_t i = 0;
    for (; off >= cut->part[i].len; i++)
        off -= cut->part[i].len;
    *at = cut->part[i].off + off;
    return n < cut->part[i].len - off ? n : (size_t)(cut->part[i].len - off);
}
