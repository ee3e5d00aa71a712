/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dump_object.h"

#include "store/base/cleanup.h"
#include "store/base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE ((size_t)64 << 10)

/* The name */

static const char *const endings[] = {
    [COMPRESS_NOT] = "", [COMPRESS_ZSTD] = ".zst", [COMPRESS_GZIP] = ".gz"};

void dump_object_name(struct slice measurement, int32_t day, enum dump_format format,
                      enum dump_names names, enum compress compress, char out[DUMP_OBJECT_NAME])
{
    char name[DUMP_NAME_MAX + 1];
    dump_name_packed(measurement, day, format, names, endings[compress], name);
    size_t n = strlen(name);
    for (size_t i = 0, k; i < n; i += k) {
        k = utf8_character(name + i, n - i);
        if (k)
            out = mempcpy(out, name + i, k);
        else
            out += sprintf(out, "%%%02X", (unsigned char)name[i]);
        k += !k;
    }
    *out = 0;
}

bool dump_object_is_name(const char *name, int32_t day, enum dump_format format,
                         enum compress compress, struct dump_name *out)
{
    char plain[DUMP_OBJECT_NAME];
    const size_t n = strlen(name), m = strlen(endings[compress]);
    if (n < m || n >= sizeof(plain) || strcmp(name + n - m, endings[compress]) != 0)
        return false;
    memcpy(plain, name, n - m);
    plain[n - m] = 0;
    return dump_name_parse(plain, format, out) && out->from == day * DAY_NS &&
           out->to == (day + 1) * DAY_NS;
}

/* The text */

void dump_object_end(struct dump_object *o)
{
    dump_free(o->text);
    compressor_close(o->compressor);
    buffer_free(&o->packed);
    o->text = NULL;
    o->compressor = NULL;
    o->given = 0;
    o->ended = false;
    o->done = 0;
}

static int dump_object_open(struct dump_object *o, struct err *e)
{
    dump_object_end(o);
    int r = dump_open(o->cache, &o->query, &o->text, e);
    if (r == 0 && o->compress != COMPRESS_NOT)
        r = compressor_open(o->compress, o->name, &o->compressor, e);
    return r;
}

int dump_object_begin(struct dump_object *o, struct err *e)
{
    int r = dump_object_open(o, e);
    if (r == 0)
        r = dump_is_empty(o->text, e);
    return r < 0 ? r : !r;
}

/* Makes compressed bytes, unless the end has come. */
static int dump_object_pack(struct dump_object *o, struct err *e)
{
    char piece[16 << 10];
    o->packed.n = o->given = 0;
    while (!o->ended && o->packed.n == 0) {
        ssize_t n = dump_read(o->text, piece, sizeof(piece), e);
        if (n < 0)
            return (int)n;
        o->ended = n == 0;
        int r = n ? compressor_add(o->compressor, piece, (size_t)n, &o->packed, e)
                  : compressor_end(o->compressor, &o->packed, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static ssize_t dump_object_next(struct dump_object *o, void *buf, size_t n, struct err *e)
{
    if (!o->compressor)
        return dump_read(o->text, buf, n, e);
    int r = o->given < o->packed.n ? 0 : dump_object_pack(o, e);
    if (r < 0)
        return r;
    if (n > o->packed.n - o->given)
        n = o->packed.n - o->given;
    memcpy(buf, o->packed.p + o->given, n);
    o->given += n;
    return (ssize_t)n;
}

/* Each attempt begins at 0, with the text opened anew unless nothing of it has been read. */
static ssize_t dump_object_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct dump_object *o = ctx;
    ssize_t got = 0;
    if (!o->text || (off == 0 && o->done > 0))
        got = dump_object_open(o, e);
    if (got == 0 && off != o->done)
        got = err_set(e, -EINVAL, "%s: read at %llu after %llu", o->name, (unsigned long long)off,
                      (unsigned long long)o->done);
    if (got == 0)
        got = dump_object_next(o, buf, n, e);
    if (got > 0)
        o->done += (uint64_t)got;
    o->failed = got < 0 ? (int)got : 0;
    return got;
}

struct remote_source dump_object_source(struct dump_object *o, uint64_t size)
{
    return (struct remote_source){.read = dump_object_read, .ctx = o, .size = size};
}

int dump_object_sum(struct dump_object *o, uint64_t *size, char sha256[SHA256_HEX + 1],
                    struct err *e)
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    autofree char *buf = malloc(PIECE);
    uint8_t sum[SHA256_BYTES];
    ssize_t n;
    if (!h || !buf)
        return err_sys(e, -ENOMEM, "%s", o->name);
    for (*size = 0; (n = dump_object_read(o, buf, PIECE, *size, e)) > 0; *size += (uint64_t)n)
        sha256_add(h, buf, (size_t)n);
    if (n < 0)
        return (int)n;
    sha256_end(h, sum);
    sha256_hex(sum, sha256);
    return 0;
}
