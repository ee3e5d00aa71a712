/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmwriter.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/tsmencode.h"
#include "store/influx/tsmindex.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <zlib.h>

#define KEY_MAX 65535
#define CRC 4
#define PIECE ((size_t)64 << 10)
#define STRINGS_MAX ((size_t)16 << 20)

struct tsmwriter {
    struct tsmwriter_output output;
    unsigned nfiles;
    bool in_file;
    uint64_t size;         /* of the file so far */
    struct buffer waiting; /* the last of these bytes, not passed on yet */
    struct tsmindex index;
    char key[KEY_MAX];
    size_t nkey; /* 0: none yet */
    enum value_type type;
    int64_t last; /* time of the key */
    bool have_last;
    struct tsmblock values; /* of the key, for a block to come */
    size_t nstrings;        /* bytes in use */
    struct buffer block;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "a TSM file");
}

static int bad(const struct tsmwriter *w, const char *what, struct err *e)
{
    int n = w->nkey < 200 ? (int)w->nkey : 200;
    return err_set(e, -EINVAL, "a TSM file, key %.*s: %s", n, w->key, what);
}

int tsmwriter_new(const struct tsmwriter_output *output, int folder, struct tsmwriter **out,
                  struct err *e)
{
    cleanup(tsmwriter_freep) struct tsmwriter *w = calloc(1, sizeof(*w));
    if (!w)
        return no_memory(e);
    w->output = *output;
    tsmindex_init(&w->index, folder);
    w->values.times = malloc(TSMENCODE_POINTS * sizeof(*w->values.times));
    w->values.values = malloc(TSMENCODE_POINTS * sizeof(*w->values.values));
    if (!w->values.times || !w->values.values)
        return no_memory(e);
    *out = steal_ptr(&w);
    return 0;
}

void tsmwriter_free(struct tsmwriter *w)
{
    if (!w)
        return;
    tsmindex_clear(&w->index);
    tsmblock_free(&w->values);
    buffer_free(&w->waiting);
    buffer_free(&w->block);
    free(w);
}

static int tsmwriter_pass_on(struct tsmwriter *w, struct err *e)
{
    int r = w->waiting.n ? w->output.write(w->output.ctx, w->waiting.p, w->waiting.n, e) : 0;
    w->waiting.n = 0;
    return r;
}

/* Appends to the file. */
static int tsmwriter_put(void *ctx, const void *buf, size_t n, struct err *e)
{
    struct tsmwriter *w = ctx;
    w->size += n;
    if (w->waiting.n + n > PIECE) {
        int r = tsmwriter_pass_on(w, e);
        if (r < 0)
            return r;
    }
    if (n > PIECE)
        return w->output.write(w->output.ctx, buf, n, e);
    buffer_add(&w->waiting, buf, n);
    return w->waiting.failed ? no_memory(e) : 0;
}

static int tsmwriter_begin_file(struct tsmwriter *w, struct err *e)
{
    static const uint8_t header[] = {0x16, 0xd1, 0x16, 0xd1, 1};
    int r = w->output.begin(w->output.ctx, w->nfiles++, e);
    if (r < 0)
        return r;
    w->in_file = true;
    w->size = 0;
    return tsmwriter_put(w, header, sizeof(header), e);
}

static int tsmwriter_end_key(struct tsmwriter *w, struct err *e)
{
    return tsmindex_end_key(&w->index, (struct slice){w->key, w->nkey}, w->type, e);
}

static int tsmwriter_end_file(struct tsmwriter *w, struct err *e)
{
    uint64_t footer = htobe64(w->size);
    int r = tsmwriter_end_key(w, e);
    if (r == 0)
        r = tsmindex_take(&w->index, tsmwriter_put, w, e);
    if (r == 0)
        r = tsmwriter_put(w, &footer, sizeof(footer), e);
    if (r == 0)
        r = tsmwriter_pass_on(w, e);
    if (r == 0)
        r = w->output.end(w->output.ctx, w->size, e);
    w->in_file = false;
    return r;
}

/* Makes sure of a file with room for a block of the key. */
static int tsmwriter_make_room(struct tsmwriter *w, struct err *e)
{
    int r = 0;
    if (w->in_file && (w->index.nentries == TSMINDEX_ENTRIES ||
                       w->size + tsmindex_size(&w->index) >= w->output.file_size))
        r = tsmwriter_end_file(w, e);
    return r == 0 && !w->in_file ? tsmwriter_begin_file(w, e) : r;
}

static int tsmwriter_put_block(struct tsmwriter *w, const void *block, size_t n, int64_t min,
                               int64_t max, struct err *e)
{
    uint32_t crc = htobe32((uint32_t)crc32_z(0, block, n));
    if (n > UINT32_MAX - CRC)
        return bad(w, "a block of 4 GiB and more", e);
    int r = tsmwriter_make_room(w, e);
    struct tsmfile_entry entry = {min, max, w->size, (uint32_t)(CRC + n)};
    if (r == 0)
        r = tsmwriter_put(w, &crc, CRC, e);
    if (r == 0)
        r = tsmwriter_put(w, block, n, e);
    if (r == 0)
        r = tsmindex_add(&w->index, &entry) < 0 ? no_memory(e) : 0;
    return r;
}

/* The values so far become a block. */
static int tsmwriter_end_values(struct tsmwriter *w, struct err *e)
{
    struct tsmblock *b = &w->values;
    if (b->n == 0)
        return 0;
    w->block.n = 0;
    int r = tsmencode_block(b, &w->block, e);
    if (r == 0)
        r = tsmwriter_put_block(w, w->block.p, w->block.n, b->times[0], b->times[b->n - 1], e);
    b->n = 0;
    w->nstrings = 0;
    return r;
}

int tsmwriter_key(struct tsmwriter *w, struct slice key, enum value_type type, struct err *e)
{
    int r = tsmwriter_end_values(w, e);
    if (r == 0)
        r = tsmwriter_end_key(w, e);
    if (r < 0)
        return r;
    bool ascends = slice_compare((struct slice){w->key, w->nkey}, key) < 0;
    if (!ascends || key.n > KEY_MAX)
        return bad(w, ascends ? "the next key is too long" : "the next key is not after it", e);
    memcpy(w->key, key.p, key.n);
    w->nkey = key.n;
    w->type = type;
    w->values.type = type;
    w->have_last = false;
    return 0;
}

/* Copies the string of a value to the block's. */
static int tsmwriter_keep_string(struct tsmwriter *w, union value *v, const char *text,
                                 struct err *e)
{
    struct tsmblock *b = &w->values;
    if (v->s.len > b->strings_cap - w->nstrings || !b->strings) {
        size_t cap = 2 * b->strings_cap + v->s.len + 1;
        char *strings = realloc(b->strings, cap);
        if (!strings)
            return no_memory(e);
        b->strings = strings;
        b->strings_cap = cap;
    }
    memcpy(b->strings + w->nstrings, text + v->s.off, v->s.len);
    v->s.off = (uint32_t)w->nstrings;
    w->nstrings += v->s.len;
    return 0;
}

int tsmwriter_value(struct tsmwriter *w, int64_t time, const union value *v, const char *text,
                    struct err *e)
{
    struct tsmblock *b = &w->values;
    size_t more = w->type == VALUE_STRING ? v->s.len : 0;
    if (w->have_last && time <= w->last)
        return bad(w, "a value that is not after the one before it", e);
    if (w->type == VALUE_FLOAT && isnan(v->f))
        return bad(w, "a float is NaN, which TSM files cannot hold", e);
    int r = 0;
    if (b->n == TSMENCODE_POINTS || (b->n > 0 && w->nstrings + more > STRINGS_MAX))
        r = tsmwriter_end_values(w, e);
    union value kept = *v;
    if (r == 0 && w->type == VALUE_STRING)
        r = tsmwriter_keep_string(w, &kept, text, e);
    if (r < 0)
        return r;
    b->times[b->n] = time;
    b->values[b->n++] = kept;
    w->last = time;
    w->have_last = true;
    return 0;
}

int tsmwriter_block(struct tsmwriter *w, const void *block, size_t n, int64_t min, int64_t max,
                    struct err *e)
{
    int r = tsmwriter_end_values(w, e);
    if (r < 0)
        return r;
    if (w->have_last && min < w->last)
        return bad(w, "a block that begins before the end of the one before it", e);
    w->last = max;
    w->have_last = true;
    return tsmwriter_put_block(w, block, n, min, max, e);
}

int tsmwriter_finish(struct tsmwriter *w, struct err *e)
{
    int r = tsmwriter_end_values(w, e);
    return r == 0 && w->in_file ? tsmwriter_end_file(w, e) : r;
}
