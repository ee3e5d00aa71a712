/* SPDX-License-Identifier: MIT */
/* tsmwriter: values and blocks of any bytes become files, small or large, which hold just these when
 * they are read again, and which tsm_check takes. */
#include "store/influx/tsmencode.h"
#include "store/influx/tsmfile.h"
#include "store/influx/tsmwriter.h"
#include "tests/fuzz/any_points.h"
#include "tests/unit/tsm_same.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES 64
#define POINTS 4000 /* of all keys, about */

/* A sum of all keys and points, however they are spread over blocks and files. */
struct sum {
    uint64_t v;
    char key[64];
    size_t nkey;
};

static void sum_up(struct sum *s, const void *key, size_t nkey, const struct tsmblock *b)
{
    must(nkey <= sizeof(s->key));
    if (nkey != s->nkey || memcmp(key, s->key, nkey) != 0)
        digest(&s->v, key, nkey);
    memcpy(s->key, key, nkey);
    s->nkey = nkey;
    for (size_t i = 0; i < b->n; i++) {
        union value v = b->values[i];
        digest(&s->v, &b->type, sizeof(b->type));
        digest(&s->v, &b->times[i], sizeof(b->times[i]));
        if (b->type == VALUE_STRING)
            digest(&s->v, b->strings + v.s.off, v.s.len);
        else if (b->type == VALUE_BOOLEAN)
            digest(&s->v, &v.b, sizeof(v.b));
        else
            digest(&s->v, &v.u, sizeof(v.u));
    }
}

struct output {
    struct buffer files[FILES];
    unsigned n;
};

static int begin(void *ctx, unsigned i, struct err *e)
{
    struct output *o = ctx;
    must(i == o->n);
    return o->n++ < FILES ? 0 : err_set(e, -ENOSPC, "too many files");
}

static int append(void *ctx, const void *buf, size_t n, struct err *e)
{
    struct output *o = ctx;
    (void)e;
    buffer_add(&o->files[o->n - 1], buf, n);
    return 0;
}

static int end(void *ctx, uint64_t size, struct err *e)
{
    struct output *o = ctx;
    (void)e;
    must(size == o->files[o->n - 1].n);
    return 0;
}

/* Points that are not NaN, by value or as a block. */
static int write_points(struct tsmwriter *w, const struct tsmblock *b, bool whole, struct err *e)
{
    struct buffer block = {0};
    int r = 0;
    if (whole) {
        must(tsmencode_block(b, &block, e) == 0);
        r = tsmwriter_block(w, block.p, block.n, b->times[0], b->times[b->n - 1], e);
    }
    for (size_t i = 0; !whole && r == 0 && i < b->n; i++)
        r = tsmwriter_value(w, b->times[i], &b->values[i], b->strings, e);
    buffer_free(&block);
    return r;
}

/* A number that ascends, and some bytes after it. */
static size_t any_key(struct any *any, uint32_t number, char key[64])
{
    size_t n = any_number(any, 1) % 40;
    uint32_t be = htobe32(number);
    memcpy(key, &be, sizeof(be));
    for (size_t i = 0; i < n; i++)
        key[4 + i] = (char)any_number(any, 1);
    return 4 + n;
}

static int write_all(struct any *any, struct tsmwriter *w, struct sum *sum, struct err *e)
{
    static int64_t times[POINTS];
    static union value values[POINTS];
    struct tsmblock b = {.times = times, .values = values};
    char key[64];
    int r = 0;
    size_t left = POINTS;
    for (uint32_t number = 1; r == 0 && any->n && left; number++) {
        enum value_type type = (enum value_type)(any_number(any, 1) % VALUE_TYPES);
        size_t nkey = any_key(any, number, key);
        int64_t from = INT64_MIN / 4;
        r = tsmwriter_key(w, (struct slice){key, nkey}, type, e);
        for (unsigned rounds = 1 + any_number(any, 1) % 4; r == 0 && rounds && left; rounds--) {
            bool whole = any_number(any, 1) & 1;
            any_points(any, type, left < 1500 ? left : 1500, from, 1, &b);
            if (any_nan(&b))
                continue;
            r = write_points(w, &b, whole, e);
            sum_up(sum, key, nkey, &b);
            left -= b.n;
            if (b.times[b.n - 1] > INT64_MAX / 4)
                break;
            from = b.times[b.n - 1] + 1;
        }
    }
    return r < 0 ? r : tsmwriter_finish(w, e);
}

static void read_all(struct buffer *file, struct sum *sum)
{
    static struct tsmblock b;
    static int fd = -1;
    struct memory m = {(uint8_t *)file->p, file->n};
    struct source s = memory_source(&m);
    struct tsmfile *f = NULL;
    struct tsmfile_key key;
    struct err e = {""};
    int r;
    must(tsmfile_open(&s, &f, &e) == 0);
    while ((r = tsmfile_next(f, &key, &e)) == 1)
        for (size_t i = 0; i < key.nentries; i++) {
            struct tsmfile_entry n = tsmfile_entry(&key, i);
            must(tsmfile_block(f, &n, key.type, &b, &e) == 0);
            sum_up(sum, key.key, key.len, &b);
        }
    must(r == 0);
    tsmfile_free(f);
    if (fd < 0)
        fd = memfd_create("file", MFD_CLOEXEC);
    must(ftruncate(fd, 0) == 0 && pwrite(fd, file->p, file->n, 0) == (ssize_t)file->n);
    must(tsm_check(fd, 0, file->n, "a file", &e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int folder = -1;
    static struct output o;
    struct any any = {data, n, data, n};
    struct sum written = {0}, read = {0};
    struct tsmwriter *w = NULL;
    struct err e = {""};
    uint64_t size = any_number(&any, 1);
    const struct tsmwriter_output to = {begin, append, end, &o,
                                        size < 200 ? UINT64_MAX : (size - 190) * 100};
    if (folder < 0)
        folder = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    o.n = 0;
    must(tsmwriter_new(&to, folder, &w, &e) == 0);
    int r = write_all(&any, w, &written, &e);
    must_explain(r, -ENOSPC, &e);
    for (unsigned i = 0; r == 0 && i < o.n; i++)
        read_all(&o.files[i], &read);
    must(r < 0 || written.v == read.v);
    tsmwriter_free(w);
    for (unsigned i = 0; i < FILES; i++)
        buffer_free(&o.files[i]);
    return 0;
}
