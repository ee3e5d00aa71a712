/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmfile.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/bytes.h"
#include "store/influx/readwindow.h"
#include "store/influx/serieskey.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define HEADER 5
#define FOOTER 8
#define CRC 4
#define ENTRY 28
#define USUAL_WINDOW ((size_t)128 << 10)

struct tsmfile {
    struct source s;
    uint64_t index, end; /* of the index */
    const char *prefix;
    size_t nprefix;
    uint64_t at;       /* of the next key */
    uint64_t block_at; /* where its blocks begin */
    char *last;        /* the key before it */
    size_t nlast, last_cap;
    struct readwindow keys, blocks;
};

static int bad(const struct tsmfile *f, struct err *e, uint64_t off, const char *what)
{
    return err_set(e, -EBADMSG, "%s: damaged at byte %" PRIu64 ": %s", f->s.name, off, what);
}

static int no_memory(const struct tsmfile *f, struct err *e)
{
    return err_sys(e, -ENOMEM, "%s", f->s.name);
}

static int tsmfile_check_ends(struct tsmfile *f, struct err *e)
{
    static const uint8_t header[HEADER] = {0x16, 0xd1, 0x16, 0xd1, 1};
    uint8_t head[HEADER], foot[FOOTER];
    if (f->s.size <= HEADER + FOOTER)
        return bad(f, e, f->s.size, "too short for a TSM file");
    int r = f->s.read(f->s.ctx, head, HEADER, 0, e);
    if (r == 0)
        r = f->s.read(f->s.ctx, foot, FOOTER, f->s.size - FOOTER, e);
    if (r < 0)
        return r;
    if (memcmp(head, header, HEADER) != 0)
        return bad(f, e, 0, "not the header of a TSM file");
    f->end = f->s.size - FOOTER;
    bytes_be(&(struct bytes){foot, FOOTER}, FOOTER, &f->index);
    if (f->index < HEADER || f->index >= f->end)
        return bad(f, e, f->end, "the index is not where the footer says");
    return 0;
}

int tsmfile_open(const struct source *s, struct tsmfile **out, struct err *e)
{
    cleanup(tsmfile_freep) struct tsmfile *f = calloc(1, sizeof(*f));
    if (!f)
        return err_sys(e, -ENOMEM, "%s", s->name);
    f->s = *s;
    tsmfile_limit(f, USUAL_WINDOW);
    int r = tsmfile_check_ends(f, e);
    if (r < 0)
        return r;
    tsmfile_seek(f, NULL, 0);
    *out = steal_ptr(&f);
    return 0;
}

void tsmfile_free(struct tsmfile *f)
{
    if (!f)
        return;
    free(f->last);
    readwindow_free(&f->keys);
    readwindow_free(&f->blocks);
    free(f);
}

void tsmfile_limit(struct tsmfile *f, size_t window)
{
    f->keys.most = f->blocks.most = window;
}

void tsmfile_rest(struct tsmfile *f)
{
    free(f->last);
    f->last = NULL;
    f->nlast = f->last_cap = 0;
    readwindow_free(&f->keys);
    f->at = f->end;
}

const char *tsmfile_name(const struct tsmfile *f)
{
    return f->s.name;
}

void tsmfile_seek(struct tsmfile *f, const void *prefix, size_t n)
{
    f->prefix = prefix;
    f->nprefix = n;
    f->at = f->index;
    f->block_at = HEADER;
    f->nlast = 0;
}

struct tsmfile_place tsmfile_place(const struct tsmfile *f)
{
    return (struct tsmfile_place){f->at, f->block_at};
}

void tsmfile_seek_place(struct tsmfile *f, struct tsmfile_place place, const void *prefix, size_t n)
{
    tsmfile_seek(f, prefix, n);
    f->at = place.at;
    f->block_at = place.block_at;
}

/* Makes n bytes of the index at off addressable at *p until the next call. */
static int tsmfile_window(struct tsmfile *f, uint64_t off, size_t n, const uint8_t **p,
                          struct err *e)
{
    if (n > f->end - off)
        return bad(f, e, off, "the index ends within a key");
    return readwindow_get(&f->keys, &f->s, off, n, f->end, p, e);
}

struct tsmfile_entry tsmfile_entry(const struct tsmfile_key *key, size_t i)
{
    const uint8_t *p = key->raw + i * ENTRY;
    return (struct tsmfile_entry){(int64_t)bytes_load(p), (int64_t)bytes_load(p + 8),
                                  bytes_load(p + 16), (uint32_t)bytes_load(p + 20)};
}

/* Blocks are in the order of their keys: a damaged entry cannot name another's block. */
static int tsmfile_check_entries(struct tsmfile *f, const struct tsmfile_key *key, uint64_t off,
                                 struct err *e)
{
    int64_t before = INT64_MIN;
    for (size_t i = 0; i < key->nentries; i++, off += ENTRY) {
        struct tsmfile_entry n = tsmfile_entry(key, i);
        if (n.min > n.max || n.min < before)
            return bad(f, e, off, "times of blocks that go back");
        if (n.offset != f->block_at || n.size <= CRC || n.size > f->index - n.offset)
            return bad(f, e, off, "a block that is not where the one before it ends");
        before = n.max;
        f->block_at += n.size;
    }
    return 0;
}

/* Keeps the key, to check that the next one is greater. */
static int tsmfile_keep_last(struct tsmfile *f, const struct tsmfile_key *key, struct err *e)
{
    if (f->nlast > 0 &&
        slice_compare((struct slice){key->key, key->len}, (struct slice){f->last, f->nlast}) <= 0)
        return bad(f, e, f->at, "keys that do not ascend");
    if (!array_renew(&f->last, &f->last_cap, key->len))
        return no_memory(f, e);
    memcpy(f->last, key->key, key->len);
    f->nlast = key->len;
    return 0;
}

/* The key at f->at; *next is its end. */
static int tsmfile_read_key(struct tsmfile *f, struct tsmfile_key *key, uint64_t *next,
                            struct err *e)
{
    const uint8_t *p = NULL;
    uint64_t len = 0, type = 0, count = 0;
    int r = tsmfile_window(f, f->at, 2, &p, e);
    if (r < 0)
        return r;
    bytes_be(&(struct bytes){p, 2}, 2, &len);
    r = tsmfile_window(f, f->at, 2 + (size_t)len + 3, &p, e);
    if (r < 0)
        return r;
    struct bytes b = {p + 2 + len, 3};
    bytes_be(&b, 1, &type);
    bytes_be(&b, 2, &count);
    if (len == 0 || type >= VALUE_TYPES || count == 0)
        return bad(f, e, f->at, "a key without name, type or blocks");
    uint64_t entries = f->at + 2 + len + 3;
    r = tsmfile_window(f, f->at, 2 + (size_t)len + 3 + (size_t)count * ENTRY, &p, e);
    if (r < 0)
        return r;
    *key = (struct tsmfile_key){.key = (const char *)p + 2,
                                .len = (size_t)len,
                                .type = (enum value_type)type,
                                .nentries = (size_t)count,
                                .raw = p + 2 + len + 3};
    key->min = tsmfile_entry(key, 0).min;
    key->max = tsmfile_entry(key, key->nentries - 1).max;
    *next = entries + count * ENTRY;
    r = tsmfile_check_entries(f, key, entries, e);
    if (r == 0 && *next == f->end && f->block_at != f->index)
        return bad(f, e, entries, "the last block does not end where the index begins");
    return r < 0 ? r : tsmfile_keep_last(f, key, e);
}

/* Whether the key sorts before, among or after those that begin with the prefix. */
static int place(const struct tsmfile *f, const struct tsmfile_key *key)
{
    size_t n = key->len < f->nprefix ? key->len : f->nprefix;
    return slice_compare((struct slice){key->key, n}, (struct slice){f->prefix, f->nprefix});
}

int tsmfile_next(struct tsmfile *f, struct tsmfile_key *key, struct err *e)
{
    while (f->at < f->end) {
        uint64_t next = f->end;
        int r = tsmfile_read_key(f, key, &next, e);
        if (r < 0)
            return r;
        int where = place(f, key);
        f->at = where > 0 ? f->end : next;
        if (where == 0)
            return 1;
    }
    return 0;
}

/* Makes the block, CRC included, addressable at *p until the next one is read. */
static int tsmfile_read_block(struct tsmfile *f, const struct tsmfile_entry *n, const uint8_t **p,
                              struct err *e)
{
    uint64_t sum = 0;
    int r = readwindow_get(&f->blocks, &f->s, n->offset, n->size, f->index, p, e);
    if (r < 0)
        return r;
    bytes_be(&(struct bytes){*p, CRC}, CRC, &sum);
    if (sum != crc32(0, *p + CRC, n->size - CRC))
        return bad(f, e, n->offset, "the block does not match its CRC");
    return 0;
}

static int tsmfile_take_block(struct tsmfile *f, const struct tsmfile_entry *n,
                              enum value_type type,
                              int (*decode)(struct tsmblock *, const void *, size_t, struct err *),
                              struct tsmblock *out, struct err *e)
{
    struct err inner = {""};
    const uint8_t *p = NULL;
    out->n = 0;
    int r = tsmfile_read_block(f, n, &p, e);
    if (r < 0)
        return r;
    r = decode(out, p + CRC, n->size - CRC, &inner);
    if (r < 0)
        return err_set(e, r, "%s: damaged block at byte %" PRIu64 ": %s", f->s.name, n->offset,
                       inner.text);
    if (out->type == type && out->times[0] == n->min && out->times[out->n - 1] == n->max)
        return 0;
    out->n = 0;
    return bad(f, e, n->offset, "a block of another type or other times than the index says");
}

int tsmfile_block(struct tsmfile *f, const struct tsmfile_entry *n, enum value_type type,
                  struct tsmblock *out, struct err *e)
{
    return tsmfile_take_block(f, n, type, tsmblock_decode, out, e);
}

int tsmfile_times(struct tsmfile *f, const struct tsmfile_entry *n, enum value_type type,
                  struct tsmblock *out, struct err *e)
{
    return tsmfile_take_block(f, n, type, tsmblock_decode_times, out, e);
}

int tsmfile_raw(struct tsmfile *f, const struct tsmfile_entry *n, enum value_type type,
                const void **block, size_t *size, struct err *e)
{
    const uint8_t *p = NULL;
    int r = tsmfile_read_block(f, n, &p, e);
    if (r < 0)
        return r;
    if (p[CRC] != type)
        return bad(f, e, n->offset, "a block of another type than the index says");
    *block = p + CRC;
    *size = n->size - CRC;
    return 0;
}
