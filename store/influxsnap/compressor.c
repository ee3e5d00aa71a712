/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/compressor.h"

#include "store/base/cleanup.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#define BLOCK (256u << 10)

struct compressor {
    const char *name;
    struct archive *filter;
    struct buffer out; /* what has come and was not handed on yet */
};

static la_ssize_t put(struct archive *a, void *arg, const void *buf, size_t n)
{
    struct compressor *c = arg;
    buffer_add(&c->out, buf, n);
    if (!c->out.failed)
        return (la_ssize_t)n;
    archive_set_error(a, ENOMEM, "out of memory");
    return -1;
}

static int compressor_failure(const struct compressor *c, struct err *e)
{
    const char *words = c->filter ? archive_error_string(c->filter) : NULL;
    return !words || c->out.failed ? err_sys(e, -ENOMEM, "compressing %s", c->name)
                                   : err_set(e, -EIO, "compressing %s: %s", c->name, words);
}

/* libarchive's format for any bytes: one nameless entry. */
static int compressor_begin(struct compressor *c, enum compress how, struct archive_entry *entry,
                            struct err *e)
{
    struct archive *a = c->filter;
    archive_entry_set_filetype(entry, AE_IFREG);
    int (*const add)(struct archive *) =
        how == COMPRESS_ZSTD ? archive_write_add_filter_zstd : archive_write_add_filter_gzip;
    /* ARCHIVE_WARN would be a filter by an external program. */
    bool good = archive_write_set_format_raw(a) == ARCHIVE_OK && add(a) == ARCHIVE_OK &&
                (how != COMPRESS_GZIP ||
                 archive_write_set_filter_option(a, "gzip", "timestamp", NULL) == ARCHIVE_OK) &&
                archive_write_set_bytes_per_block(a, BLOCK) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
                archive_write_open(a, c, NULL, put, NULL) == ARCHIVE_OK &&
                archive_write_header(a, entry) == ARCHIVE_OK;
    return good ? 0 : compressor_failure(c, e);
}

int compressor_open(enum compress how, const char *name, struct compressor **out, struct err *e)
{
    cleanup(compressor_closep) struct compressor *c = calloc(1, sizeof(*c));
    if (!c)
        return err_sys(e, -ENOMEM, "compressing %s", name);
    c->name = name;
    c->filter = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    int r = c->filter && entry ? compressor_begin(c, how, entry, e)
                               : err_sys(e, -ENOMEM, "compressing %s", name);
    archive_entry_free(entry);
    if (r == 0)
        *out = steal_ptr(&c);
    return r;
}

static int compressor_hand_on(struct compressor *c, bool good, struct buffer *to, struct err *e)
{
    if (!good)
        return compressor_failure(c, e);
    buffer_add(to, c->out.p, c->out.n);
    c->out.n = 0;
    return to->failed ? err_sys(e, -ENOMEM, "compressing %s", c->name) : 0;
}

int compressor_add(struct compressor *c, const void *buf, size_t n, struct buffer *to,
                   struct err *e)
{
    return compressor_hand_on(c, archive_write_data(c->filter, buf, n) == (la_ssize_t)n, to, e);
}

int compressor_end(struct compressor *c, struct buffer *to, struct err *e)
{
    return compressor_hand_on(c, archive_write_close(c->filter) == ARCHIVE_OK, to, e);
}

void compressor_close(struct compressor *c)
{
    if (!c)
        return;
    archive_write_free(c->filter);
    buffer_free(&c->out);
    free(c);
}
