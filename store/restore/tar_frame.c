/* SPDX-License-Identifier: MIT */
#include "store/restore/tar_frame.h"

#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_AT = 124, SIZE_LEN = 12, SUM_AT = 148, SUM_LEN = 8, TYPE_AT = 156 };

void tar_frame_free(struct tar_frame *f)
{
    free(f->saved);
    f->saved = NULL;
}

static bool zeros(const unsigned char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* The part of [from, to) in the current block must be zeros. */
static int frame_zeros(const struct tar_frame *f, uint64_t from, uint64_t to, const char *what,
                       struct err *e)
{
    if (from < f->start)
        from = f->start;
    if (to > f->end)
        to = f->end;
    if (from < to && !zeros(f->block + (from - f->start), (size_t)(to - from)))
        return err_set(e, -EBADMSG, "damaged: %s is not zeros, near byte %llu of the tar", what,
                       (unsigned long long)from);
    return 0;
}

/* Six digits, NUL, space; or seven digits, NUL: the forms that are written. */
static bool read_sum(const unsigned char *p, unsigned *out)
{
    unsigned v = 0;
    int i = 0;
    for (; i < SUM_LEN && p[i] >= '0' && p[i] <= '7'; i++)
        v = v * 8 + (unsigned)(p[i] - '0');
    *out = v;
    return (i == 6 && p[6] == 0 && p[7] == ' ') || (i == 7 && p[7] == 0);
}

bool tar_frame_header_ok(const unsigned char *h)
{
    unsigned want, sum = 0;
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : h[i];
    return read_sum(h + SUM_AT, &want) && want == sum;
}

/* The size of a header that describes another (only octal: these are small). */
static bool small_size(const unsigned char *h, uint64_t *out)
{
    uint64_t v = 0;
    for (int i = SIZE_AT; i < SIZE_AT + SIZE_LEN && h[i] && h[i] != ' '; i++) {
        if (h[i] < '0' || h[i] > '7')
            return false;
        v = v * 8 + (uint64_t)(h[i] - '0');
    }
    *out = v;
    return v <= TAR_HEADERS_MAX;
}

/* Skips pax records or a GNU long name: returns their size, 0 for another header. */
static size_t frame_extension(const unsigned char *p, size_t n)
{
    uint64_t size;
    if (!small_size(p, &size) || TAR_BLOCK + tar_round_up(size) > n)
        return 0;
    size_t whole = TAR_BLOCK + (size_t)tar_round_up(size);
    if (!zeros(p + TAR_BLOCK + size, whole - TAR_BLOCK - size))
        return 0;
    if (p[TYPE_AT] == 'x' && memmem(p + TAR_BLOCK, size, "GNU.sparse", 10))
        return 0;
    return whole;
}

/* A member's headers: any number of extensions, then one of a file or folder; no others. */
static int frame_headers(const unsigned char *p, size_t n, bool folder, struct err *e)
{
    uint64_t size;
    while (n >= TAR_BLOCK && tar_frame_header_ok(p)) {
        char type = (char)p[TYPE_AT];
        if (type == 'x' || type == 'L' || type == 'K') {
            size_t k = frame_extension(p, n);
            if (k == 0)
                break;
            p += k;
            n -= k;
            continue;
        }
        if (n != TAR_BLOCK)
            break;
        if (folder ? type == '5' && small_size(p, &size) && size == 0 : type == '0' || type == 0)
            return 0;
        return err_set(e, -EBADMSG,
                       "hostile or damaged: a member that is neither a plain file nor a folder");
    }
    return err_set(e, -EBADMSG, "damaged: a header of the tar");
}

static int frame_save(struct tar_frame *f, uint64_t from, uint64_t to, struct err *e)
{
    if (from < f->start)
        from = f->start;
    if (from >= to)
        return 0;
    size_t n = (size_t)(to - from);
    if (f->nsaved + n > TAR_HEADERS_MAX)
        return err_set(e, -EBADMSG, "hostile or damaged: a header of more than 64 KiB");
    if (!f->saved && !(f->saved = malloc(TAR_HEADERS_MAX)))
        return err_sys(e, -ENOMEM, "tar");
    memcpy(f->saved + f->nsaved, f->block + (from - f->start), n);
    f->nsaved += n;
    return 0;
}

int tar_frame_leave(struct tar_frame *f, struct err *e)
{
    return f->tail ? 0 : frame_save(f, f->headers, f->end, e);
}

int tar_frame_block(struct tar_frame *f, const void *block, size_t n, struct err *e)
{
    f->block = block;
    f->start = f->end;
    f->end += n;
    if (f->tail)
        return frame_zeros(f, f->headers, f->end, "what follows the last member", e);
    return f->known ? frame_zeros(f, f->padding, f->headers, "padding", e) : 0;
}

int tar_frame_member(struct tar_frame *f, uint64_t data_start, uint64_t size, bool folder,
                     struct err *e)
{
    const unsigned char *p;
    if (data_start > f->end || data_start < f->start || data_start < f->headers ||
        data_start % TAR_BLOCK)
        return err_set(e, -EBADMSG, "damaged: a header of the tar");
    size_t n = (size_t)(data_start - f->headers);
    if (f->headers < f->start) {
        int r = frame_save(f, f->start, data_start, e);
        if (r < 0)
            return r;
        p = f->saved;
        n = f->nsaved;
    } else {
        p = f->block + (f->headers - f->start);
    }
    int r = frame_headers(p, n, folder, e);
    if (r < 0)
        return r;
    f->nsaved = 0;
    f->known = true;
    f->padding = data_start + size;
    f->headers = tar_round_up(f->padding);
    return frame_zeros(f, f->padding, f->headers, "padding", e);
}

int tar_frame_tail(struct tar_frame *f, struct err *e)
{
    f->tail = true;
    return frame_zeros(f, f->headers, f->end, "what follows the last member", e);
}

bool tar_frame_complete(const struct tar_frame *f)
{
    return f->tail && f->end >= f->headers + TAR_END && f->end % TAR_BLOCK == 0;
}
