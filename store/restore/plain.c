/* SPDX-License-Identifier: MIT */
#include "store/restore/plain.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *bytes;
    size_t n;
} magics[] = {
    {"\x1f\x8b", 2},                 /* gzip */
    {"\x28\xb5\x2f\xfd", 4},         /* zstd */
    {"\xfd\x37\x7a\x58\x5a\x00", 6}, /* xz */
    {"\x04\x22\x4d\x18", 4},         /* lz4 */
};

static const char first_name[] = "manifest"; /* with its NUL, as in the header */

/* 1: compressed; 0: not; -1: so far it may become so. */
static int find_magic(const unsigned char *p, size_t n)
{
    int found = 0;
    for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
        size_t k = n < magics[i].n ? n : magics[i].n;
        if (memcmp(p, magics[i].bytes, k) == 0)
            found = k == magics[i].n ? 1 : found ? found : -1;
    }
    return found;
}

/* How many bytes differ from the name of a snapshot's first member. */
static int name_distance(const unsigned char *p, size_t n)
{
    int d = 0;
    for (size_t i = 0; i < n && i < sizeof(first_name); i++)
        d += p[i] != (unsigned char)first_name[i];
    return d;
}

bool plain_begins_well(const void *block, size_t n)
{
    return name_distance(block, n) <= 1;
}

static int not_snapshot(struct err *e, const char *what)
{
    return err_set(e, -EINVAL, "not a snapshot: %s", what);
}

static int ends_early(struct err *e, uint64_t n)
{
    return err_set(e, -EBADMSG, "ends early: only %llu bytes came", (unsigned long long)n);
}

static ssize_t pull(struct plain *p, int if_ended, const void **block)
{
    if (p->ended)
        return 0;
    ssize_t n = p->io->pull(p->io->arg, if_ended, block);
    if (n == 0)
        p->ended = true;
    else if (n < 0)
        p->failed = (int)n;
    return n;
}

static int sniffed_so_far(const struct plain *p)
{
    if (p->nhead == 0)
        return -EINVAL;
    return name_distance(p->head, p->nhead) == 0 || find_magic(p->head, p->nhead) ? -EBADMSG
                                                                                  : -EINVAL;
}

static int read_head(struct plain *p, struct err *e)
{
    while (p->nhead < sizeof(p->head)) {
        int so_far = sniffed_so_far(p);
        ssize_t n = pull(p, so_far, &p->rest);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return so_far == -EINVAL ? not_snapshot(e, p->nhead ? "not a tar" : "it is empty")
                                     : ends_early(e, p->nhead);
        size_t room = sizeof(p->head) - p->nhead;
        size_t k = (size_t)n < room ? (size_t)n : room;
        memcpy(p->head + p->nhead, p->rest, k);
        p->nhead += k;
        p->rest = (const char *)p->rest + k;
        p->nrest = (size_t)n - k;
        if (find_magic(p->head, p->nhead) > 0)
            break;
    }
    return 0;
}

/* A plain tar: its first header is here whole. */
static int check_head(const struct plain *p, struct err *e)
{
    int distance = name_distance(p->head, sizeof(first_name));
    char type = (char)p->head[156];
    if (frame_header_ok(p->head))
        return distance == 0 || type == 'x' || type == 'L'
                   ? 0
                   : not_snapshot(e, "a tar, but its first member is not `manifest`");
    return distance <= 1 ? err_set(e, -EBADMSG, "damaged: the first header of the tar")
                         : not_snapshot(e, "not a tar");
}

static la_ssize_t read_input(struct archive *a, void *arg, const void **block)
{
    struct plain *p = arg;
    ssize_t n;
    if (p->fed == 0) {
        *block = p->head;
        n = (ssize_t)p->nhead;
    } else if (p->nrest) {
        *block = p->rest;
        n = (ssize_t)p->nrest;
        p->nrest = 0;
    } else {
        n = pull(p, p->compressed ? UNPACK_UNSURE : p->if_ended, block);
    }
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

/* What a failure of the filters means: the input's own error, an end, or damage. */
static int failure(const struct plain *p, struct err *e)
{
    if (p->failed)
        return p->failed;
    const char *words = archive_error_string(p->filters);
    return err_set(e, plain_archive_errno(p->filters), "%s%s", p->ended ? "ends early, or " : "",
                   words ? words : "damaged");
}

int plain_open(struct plain *p, const struct unpack_io *io, struct err *e)
{
    *p = (struct plain){.io = io, .if_ended = -EBADMSG};
    int r = read_head(p, e);
    if (r < 0)
        return r;
    p->compressed = find_magic(p->head, p->nhead) > 0;
    if (!p->compressed && (r = check_head(p, e)) < 0)
        return r;
    struct archive_entry *entry;
    p->filters = archive_read_new();
    if (!p->filters)
        return err_sys(e, -ENOMEM, "tar");
    if (p->compressed) {
        archive_read_support_filter_gzip(p->filters);
        archive_read_support_filter_zstd(p->filters);
        archive_read_support_filter_xz(p->filters);
        archive_read_support_filter_lz4(p->filters);
    }
    archive_read_support_format_raw(p->filters);
    if (archive_read_open(p->filters, p, NULL, read_input, NULL) != ARCHIVE_OK ||
        archive_read_next_header(p->filters, &entry) != ARCHIVE_OK)
        return failure(p, e);
    /* It began as a compressed file does, but libarchive sees none in it. */
    if (p->compressed && archive_filter_code(p->filters, 0) == ARCHIVE_FILTER_NONE)
        return p->ended ? ends_early(e, p->fed)
                        : err_set(e, -EBADMSG, "damaged: the header of the compressed file");
    return 0;
}

ssize_t plain_next(struct plain *p, const void **block, struct err *e)
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

int plain_end(struct plain *p, struct err *e)
{
    const void *block;
    ssize_t n = p->nrest ? (ssize_t)p->nrest : pull(p, UNPACK_UNSURE, &block);
    if (n < 0)
        return (int)n;
    if (n > 0 || (uint64_t)archive_filter_bytes(p->filters, -1) < p->fed)
        return err_set(e, -EBADMSG, "damaged: something follows the compressed tar");
    return 0;
}

void plain_close(struct plain *p)
{
    archive_read_free(p->filters);
    p->filters = NULL;
}
