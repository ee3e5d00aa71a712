/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/bytes.h"
#include "store/influx/tsmfile.h"

#include <errno.h>
#include <inttypes.h>
#include <zlib.h>

#define CRC 4
#define WINDOW ((size_t)256 << 10) /* more than most blocks */

struct tsm {
    int fd;
    uint64_t off, size;
    const char *name;
    uint8_t *buf; /* the file from `at` on: blocks, which follow each other */
    uint64_t at;
    size_t n;
};

static int read_part(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct tsm *t = ctx;
    int r = io_pread_all(t->fd, buf, n, t->off + off);
    return r < 0 ? err_sys(e, r, "%s: byte %" PRIu64, t->name, off) : 0;
}

static int damaged(const struct tsm *t, uint64_t at, const char *what, struct err *e)
{
    return err_set(e, -EBADMSG, "%s: damaged at byte %" PRIu64 ": %s", t->name, at, what);
}

/* n bytes at `at`, at most WINDOW and within the file; valid until the next call. */
static int tsm_look(struct tsm *t, uint64_t at, size_t n, const uint8_t **out, struct err *e)
{
    if (at < t->at || at + n > t->at + t->n) {
        size_t take = t->size - at < WINDOW ? (size_t)(t->size - at) : WINDOW;
        t->n = 0;
        int r = read_part(t, t->buf, take, at, e);
        if (r < 0)
            return r;
        t->at = at;
        t->n = take;
    }
    *out = t->buf + (at - t->at);
    return 0;
}

static int tsm_check_block(struct tsm *t, const struct tsmfile_entry *block, enum value_type type,
                           struct err *e)
{
    const uint8_t *p = NULL;
    uint64_t wanted = 0, really = 0;
    uLong crc = crc32(0, NULL, 0);
    int r = tsm_look(t, block->offset, CRC + 1, &p, e);
    if (r < 0)
        return r;
    struct bytes head = {p, CRC + 1};
    bytes_be(&head, CRC, &wanted);
    bytes_be(&head, 1, &really);
    for (uint64_t done = CRC; done < block->size;) {
        size_t n = block->size - done < WINDOW ? (size_t)(block->size - done) : WINDOW;
        if ((r = tsm_look(t, block->offset + done, n, &p, e)) < 0)
            return r;
        crc = crc32(crc, p, (uInt)n);
        done += n;
    }
    if (crc != wanted)
        return damaged(t, block->offset, "the block does not match its CRC", e);
    if (really != type)
        return damaged(t, block->offset, "a block of another type than the index says", e);
    return 0;
}

int tsm_check(int fd, uint64_t off, uint64_t size, const char *name, struct err *e)
{
    autofree uint8_t *buf = malloc(WINDOW);
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", name);
    struct tsm t = {.fd = fd, .off = off, .size = size, .name = name, .buf = buf};
    const struct source source = {read_part, &t, size, name};
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(&source, &f, e);
    if (r < 0)
        return r;
    while ((r = tsmfile_next(f, &key, e)) == 1)
        for (size_t i = 0; i < key.nentries; i++) {
            struct tsmfile_entry block = tsmfile_entry(&key, i);
            if ((r = tsm_check_block(&t, &block, key.type, e)) < 0)
                return r;
        }
    return r;
}
