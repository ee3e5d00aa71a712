/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmindex.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <endian.h>
#include <errno.h>

#define INDEX_MEMORY ((size_t)4 << 20)
#define PIECE ((size_t)64 << 10)

void tsmindex_init(struct tsmindex *x, int folder)
{
    *x = (struct tsmindex){.folder = folder, .fd = -1};
}

void tsmindex_clear(struct tsmindex *x)
{
    buffer_free(&x->entries);
    buffer_free(&x->keys);
    if (x->fd >= 0)
        close(x->fd);
    x->fd = -1;
}

static void add_be64(struct buffer *b, uint64_t v)
{
    v = htobe64(v);
    buffer_add(b, &v, sizeof(v));
}

static void add_be32(struct buffer *b, uint32_t v)
{
    v = htobe32(v);
    buffer_add(b, &v, sizeof(v));
}

static void add_be16(struct buffer *b, size_t v)
{
    uint16_t be = htobe16((uint16_t)v);
    buffer_add(b, &be, sizeof(be));
}

int tsmindex_add(struct tsmindex *x, const struct tsmfile_entry *entry)
{
    add_be64(&x->entries, (uint64_t)entry->min);
    add_be64(&x->entries, (uint64_t)entry->max);
    add_be64(&x->entries, entry->offset);
    add_be32(&x->entries, entry->size);
    x->nentries++;
    return x->entries.failed ? -ENOMEM : 0;
}

static int tsmindex_spool(struct tsmindex *x, struct err *e)
{
    if (x->fd < 0)
        x->fd = io_open_nameless(x->folder, ".");
    int r = x->fd < 0 ? x->fd : io_pwrite_all(x->fd, x->keys.p, x->keys.n, x->spooled);
    if (r < 0)
        return err_sys(e, r, "a nameless file for the index of a TSM file");
    x->spooled += x->keys.n;
    x->keys.n = 0;
    return 0;
}

int tsmindex_end_key(struct tsmindex *x, struct slice key, enum value_type type, struct err *e)
{
    const char type_byte = (char)type;
    if (x->nentries == 0)
        return 0;
    add_be16(&x->keys, key.n);
    buffer_add(&x->keys, key.p, key.n);
    buffer_add(&x->keys, &type_byte, 1);
    add_be16(&x->keys, x->nentries);
    buffer_add(&x->keys, x->entries.p, x->entries.n);
    x->entries.n = 0;
    x->nentries = 0;
    if (x->keys.failed)
        return err_sys(e, -ENOMEM, "the index of a TSM file");
    return x->keys.n < INDEX_MEMORY ? 0 : tsmindex_spool(x, e);
}

uint64_t tsmindex_size(const struct tsmindex *x)
{
    return x->spooled + x->keys.n + x->entries.n;
}

static int tsmindex_take_spooled(const struct tsmindex *x,
                                 int (*write)(void *, const void *, size_t, struct err *),
                                 void *ctx, struct err *e)
{
    autofree char *buf = x->spooled ? malloc(PIECE) : NULL;
    if (x->spooled && !buf)
        return err_sys(e, -ENOMEM, "the index of a TSM file");
    for (uint64_t at = 0; at < x->spooled;) {
        size_t n = x->spooled - at < PIECE ? (size_t)(x->spooled - at) : PIECE;
        int r = io_pread_all(x->fd, buf, n, at);
        if (r < 0)
            return err_sys(e, r, "the nameless file for the index of a TSM file");
        r = write(ctx, buf, n, e);
        if (r < 0)
            return r;
        at += n;
    }
    return 0;
}

int tsmindex_take(struct tsmindex *x, int (*write)(void *, const void *, size_t, struct err *),
                  void *ctx, struct err *e)
{
    int r = tsmindex_take_spooled(x, write, ctx, e);
    if (r == 0)
        r = write(ctx, x->keys.p, x->keys.n, e);
    x->keys.n = 0;
    x->spooled = 0;
    return r;
}
