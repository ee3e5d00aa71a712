/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_filter.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/tsmfile.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <zlib.h>

#define CRC_BYTES 4

struct copy {
    const struct source *from;
    struct tsmwriter *to;
    void *block;
    size_t cap;
};

static int filter_copy_block(struct copy *c, const struct tsmfile_entry *entry, struct err *e)
{
    uint32_t crc;
    if (!array_renew(&c->block, &c->cap, entry->size))
        return err_sys(e, -ENOMEM, "%s", c->from->name);
    int r = c->from->read(c->from->ctx, c->block, entry->size, entry->offset, e);
    if (r < 0)
        return r;
    const void *data = (const char *)c->block + CRC_BYTES;
    const size_t n = entry->size - CRC_BYTES;
    memcpy(&crc, c->block, CRC_BYTES);
    if (be32toh(crc) != crc32_z(0, data, n))
        return err_set(e, -EBADMSG, "%s: damaged: the block at byte %" PRIu64 " has another CRC",
                       c->from->name, entry->offset);
    return tsmwriter_block(c->to, data, n, entry->min, entry->max, e);
}

/* The key stays valid: its blocks are read past the tsmfile. */
static int filter_copy_key(struct copy *c, const struct tsmfile_key *key, struct err *e)
{
    int r = tsmwriter_key(c->to, (struct slice){key->key, key->len}, key->type, e);
    for (size_t i = 0; r == 0 && i < key->nentries; i++) {
        const struct tsmfile_entry entry = tsmfile_entry(key, i);
        r = filter_copy_block(c, &entry, e);
    }
    return r;
}

int merge_filter(const struct source *tsm, merge_filter_fn *stays, void *ctx,
                 const struct tsmwriter_output *out, int folder, struct err *e)
{
    cleanup(tsmfile_freep) struct tsmfile *from = NULL;
    cleanup(tsmwriter_freep) struct tsmwriter *to = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(tsm, &from, e);
    if (r == 0)
        r = tsmwriter_new(out, folder, &to, e);
    struct copy c = {.from = tsm, .to = to};
    while (r == 0 && (r = tsmfile_next(from, &key, e)) == 1)
        r = stays(ctx, (struct slice){key.key, key.len}, key.type) ? filter_copy_key(&c, &key, e)
                                                                   : 0;
    free(c.block);
    return r < 0 ? r : tsmwriter_finish(to, e);
}
