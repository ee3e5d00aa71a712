/* SPDX-License-Identifier: MIT */
#include "store/restore/plain.h"

#include "store/restore/tar_frame.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first bytes of a stream, for inspection, and the rest of their last block. */
struct peek {
    unsigned char bytes[TAR_BLOCK];
    size_t n;
    const void *rest;
    size_t nrest;
    bool given; /* the bytes were passed on, so that the rest is next */
};

struct plain {
    const struct tar_input *in;
    const char *first_name;
    struct archive *filters;
    struct peek packed; /* of the input, */
    struct peek first;  /* and of the compressed content */
    uint64_t fed;       /* bytes given to the filters */
    bool compressed;
    bool ended;   /* the input has ended */
    int if_ended; /* what to tell pull */
    int failed;   /* what pull returned */
};

static void peek_add(struct peek *k, const void *block, size_t n)
{
    size_t more = sizeof(k->bytes) - k->n;
    more = more < n ? more : n;
    memcpy(k->bytes + k->n, block, more);
    k->n += more;
    k->rest = (const char *)block + more;
    k->nrest = n - more;
}

/* Passes on the inspected bytes, in two parts; then 0. */
static ssize_t peek_give(struct peek *k, const void **block)
{
    size_t n = k->given ? k->nrest : k->n;
    *block = k->given ? k->rest : k->bytes;
    k->nrest = k->given ? 0 : k->nrest;
    k->given = true;
    return (ssize_t)n;
}

static const struct magic {
    const char *bytes;
    size_t n;
    int filter; /* libarchive's */
} magics[] = {
    {"\x1f\x8b", 2, ARCHIVE_FILTER_GZIP},
    {"\x28\xb5\x2f\xfd", 4, ARCHIVE_FILTER_ZSTD},
    {"\xfd\x37\x7a\x58\x5a\x00", 6, ARCHIVE_FILTER_XZ},
    {"\x04\x22\x4d\x18", 4, ARCHIVE_FILTER_LZ4},
};

/* The kind of compression that it begins with, or NULL; *may: more bytes may make it one. */
static const struct magic *plain_find_magic(const unsigned char *p, size_t n, bool *may)
{
    *may = false;
    for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
        size_t k = n < magics[i].n ? n : magics[i].n;
        if (memcmp(p, magics[i].bytes, k) != 0)
            continue;
        if (k == magics[i].n)
            return &magics[i];
        *may = true;
    }
    return NULL;
}

bool plain_begins_compressed(const void *head, size_t n)
{
    bool may;
    return plain_find_magic(head, n, &may) != NULL;
}

/* How many of a header's first n bytes differ from the first member's name; any name is right if
 * none is known. */
static int name_distance(const char *first, const unsigned char *head, size_t n)
{
    int d = 0;
    if (!first)
        return 0;
    for (size_t i = 0; i < n && i <= strlen(first); i++)
        d += head[i] != (unsigned char)first[i];
    return d;
}

static int not_snapshot(const struct plain *p, struct err *e, const char *what)
{
    return err_set(e, -EINVAL, "%s%s", p->first_name ? "not a snapshot: " : "", what);
}

static int ends_early(struct err *e, uint64_t n)
{
    return err_set(e, -EBADMSG, "ends early: only %llu bytes came", (unsigned long long)n);
}

static ssize_t pull(struct plain *p, int if_ended, const void **block)
{
    if (p->ended || p->failed)
        return p->failed;
    ssize_t n = p->in->pull(p->in->arg, if_ended, block);
    if (n == 0)
        p->ended = true;
    else if (n < 0)
        p->failed = (int)n;
    return n;
}

int plain_cut_off(const char *first, const void *head, size_t n)
{
    bool may;
    bool snapshot = name_distance(first, head, n) == 0 || plain_find_magic(head, n, &may) || may;
    return n && snapshot ? -EBADMSG : -EINVAL;
}

static int plain_read_head(struct plain *p, struct err *e)
{
    struct peek *k = &p->packed;
    bool may;
    while (k->n < sizeof(k->bytes) && !plain_find_magic(k->bytes, k->n, &may)) {
        const void *block;
        int so_far = plain_cut_off(p->first_name, k->bytes, k->n);
        ssize_t n = pull(p, so_far, &block);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return so_far == -EINVAL ? not_snapshot(p, e, k->n ? "not a tar" : "it is empty")
                                     : ends_early(e, k->n);
        peek_add(k, block, (size_t)n);
    }
    return 0;
}

/* Checks the first header of the plain tar. Where any name is right there may be no member at all:
 * zeros. */
static int plain_check_head(const struct plain *p, const unsigned char *head, struct err *e)
{
    static const unsigned char none[TAR_BLOCK];
    if (!p->first_name && memcmp(head, none, TAR_BLOCK) == 0)
        return 0;
    int distance = name_distance(p->first_name, head, TAR_BLOCK);
    char type = (char)head[156];
    if (tar_frame_header_ok(head))
        return distance == 0 || type == 'x' || type == 'L'
                   ? 0
                   : err_set(e, -EINVAL, "not a snapshot: a tar, but its first member is not `%s`",
                             p->first_name);
    return distance <= 1 ? err_set(e, -EBADMSG, "damaged: the first header of the tar")
                         : not_snapshot(p, e, "not a tar");
}

static la_ssize_t plain_read_input(struct archive *a, void *arg, const void **block)
{
    struct plain *p = arg;
    ssize_t n = peek_give(&p->packed, block);
    if (n == 0)
        n = pull(p, p->compressed ? TAR_UNSURE : p->if_ended, block);
    if (n < 0)
        archive_set_error(a, (int)-n, "input");
    else
        p->fed += (uint64_t)n;
    return n < 0 ? -1 : n;
}

int plain_archive_errno(struct archive *a)
{
    return archive_errno(a) == ENOMEM ? -ENOMEM : -EBADMSG;
}

/* The meaning of a filter's failure: the input's own error, an end, or damage. */
static int failure(const struct plain *p, struct err *e)
{
    if (p->failed)
        return p->failed;
    const char *words = archive_error_string(p->filters);
    return err_set(e, plain_archive_errno(p->filters), "%s%s", p->ended ? "ends early, or " : "",
                   words ? words : "damaged");
}

static ssize_t plain_next_block(struct plain *p, const void **block, struct err *e)
{
    for (;;) {
        size_t n;
        la_int64_t off;
        int r = archive_read_data_block(p->filters, block, &n, &off);
        if (r == ARCHIVE_EOF)
            return 0;
        if (r != ARCHIVE_OK)
            return failure(p, e);
        if (n)
            return (ssize_t)n;
    }
}

static int not_a_tar(const struct plain *p, struct err *e)
{
    return not_snapshot(p, e, "what is compressed in it is not a tar");
}

/* The compressed tar ends within its first header. */
static int ends_in_head(const struct plain *p, struct err *e)
{
    if (p->first.n == 0) /* libarchive takes what is no such file for an empty one */
        return p->ended ? ends_early(e, p->fed)
                        : err_set(e, -EBADMSG, "damaged: the header of the compressed file");
    return name_distance(p->first_name, p->first.bytes, p->first.n) > 1 ? not_a_tar(p, e)
                                                                        : ends_early(e, p->fed);
}

/* Whether the compressed bytes so far may be a snapshot. */
static int plain_check_first(const struct plain *p, struct err *e)
{
    bool may;
    if (plain_find_magic(p->first.bytes, p->first.n, &may))
        return not_snapshot(p, e, "it is compressed twice");
    if (p->first.n < TAR_BLOCK)
        return 0;
    return name_distance(p->first_name, p->first.bytes, TAR_BLOCK) <= 1 ||
                   tar_frame_header_ok(p->first.bytes)
               ? plain_check_head(p, p->first.bytes, e)
               : not_a_tar(p, e);
}

/* Unpacks and checks the first header of a compressed tar. */
static int plain_read_first(struct plain *p, struct err *e)
{
    while (p->first.n < TAR_BLOCK) {
        const void *block;
        ssize_t n = plain_next_block(p, &block, e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return ends_in_head(p, e);
        peek_add(&p->first, block, (size_t)n);
        int r = plain_check_first(p, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The filter is set, not detected: libarchive would look for further ones in its output. */
static int plain_open_filters(struct plain *p, const struct magic *m, struct err *e)
{
    struct archive_entry *entry;
    p->filters = archive_read_new();
    if (!p->filters)
        return err_sys(e, -ENOMEM, "tar");
    /* A warning: an external program replaces a library. */
    if (archive_read_support_format_raw(p->filters) != ARCHIVE_OK ||
        archive_read_append_filter(p->filters, m ? m->filter : ARCHIVE_FILTER_NONE) != ARCHIVE_OK)
        return err_set(e, -ENOTSUP, "this libarchive cannot read such a compressed file");
    if (archive_read_open(p->filters, p, NULL, plain_read_input, NULL) != ARCHIVE_OK)
        return failure(p, e);
    int r = archive_read_next_header(p->filters, &entry);
    if (r == ARCHIVE_EOF && m)
        return ends_in_head(p, e);
    return r == ARCHIVE_OK ? 0 : failure(p, e);
}

static int plain_begin(struct plain *p, struct err *e)
{
    bool may;
    int r = plain_read_head(p, e);
    if (r < 0)
        return r;
    const struct magic *m = plain_find_magic(p->packed.bytes, p->packed.n, &may);
    p->compressed = m;
    if (!m && (r = plain_check_head(p, p->packed.bytes, e)) < 0)
        return r;
    r = plain_open_filters(p, m, e);
    return r == 0 && m ? plain_read_first(p, e) : r;
}

int plain_open(const struct tar_input *in, const char *first, struct plain **out, struct err *e)
{
    struct plain *p = calloc(1, sizeof(*p));
    if (!p)
        return err_sys(e, -ENOMEM, "tar");
    *p = (struct plain){.in = in, .first_name = first, .if_ended = -EBADMSG};
    int r = plain_begin(p, e);
    if (r < 0)
        plain_close(p);
    else
        *out = p;
    return r;
}

ssize_t plain_next(struct plain *p, int if_ended, const void **block, struct err *e)
{
    int r = p->in->stop ? p->in->stop(p->in->arg) : 0;
    if (r < 0)
        return r;
    p->if_ended = if_ended;
    ssize_t n = peek_give(&p->first, block);
    return n ? n : plain_next_block(p, block, e);
}

int plain_end(struct plain *p, struct err *e)
{
    const void *block;
    ssize_t n = peek_give(&p->packed, &block);
    if (n == 0)
        n = pull(p, TAR_UNSURE, &block);
    if (n < 0)
        return (int)n;
    if (n > 0 || (uint64_t)archive_filter_bytes(p->filters, -1) < p->fed)
        return err_set(e, -EBADMSG, "damaged: something follows the compressed tar");
    return 0;
}

bool plain_is_compressed(const struct plain *p)
{
    return p->compressed;
}

bool plain_has_ended(const struct plain *p)
{
    return p->ended;
}

void plain_close(struct plain *p)
{
    if (p)
        archive_read_free(p->filters);
    free(p);
}
