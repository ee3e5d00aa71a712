/* SPDX-License-Identifier: MIT */
#include "store/points/answer_spill.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_MEMORY ((size_t)4 << 10)
#define LEAST_PAGE ((size_t)256) /* a smaller one would not make pread(2) cheaper */
#define MOST_PAGE ((size_t)16 << 10)
#define NO_PAGE UINT64_MAX

struct answer_spill {
    size_t memory;
    const char *folder;
    int fd;        /* -1: there is no file yet */
    uint64_t file; /* bytes in the file */
    uint8_t *bytes;
    size_t n, cap; /* put down and not in the file */
    /* While a file is read, pages of it lie in `bytes`, each in one slot. */
    size_t page, slots;
    uint64_t *which; /* by slot: the number of its page */
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the rows of an answer");
}

int answer_spill_new(size_t memory, const char *folder, struct answer_spill **out)
{
    struct answer_spill *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->memory = memory > LEAST_MEMORY ? memory : LEAST_MEMORY;
    s->folder = folder;
    s->fd = -1;
    *out = s;
    return 0;
}

void answer_spill_free(struct answer_spill *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->bytes);
    free(s->which);
    free(s);
}

uint64_t answer_spill_size(const struct answer_spill *s)
{
    return s->file + s->n;
}

static const char *spill_folder(const struct answer_spill *s)
{
    return s->folder ? s->folder : io_temporary_folder();
}

static int spill_fail(const struct answer_spill *s, int code, struct err *e)
{
    const char *another = s->folder ? "" : "name another folder (TMPDIR), ";
    if (code != -ENOSPC && code != -EDQUOT)
        return err_sys(e, code, "a temporary file in %s", spill_folder(s));
    return err_sys(
        e, code,
        "%s has no room for %llu MiB of rows of an answer and more: make room there, %sor "
        "give it more memory (memory=)",
        spill_folder(s), (unsigned long long)(answer_spill_size(s) >> 20), another);
}

/* Moves what is in memory to the file. */
static int spill_write(struct answer_spill *s, struct err *e)
{
    if (s->fd < 0) {
        int fd = io_open_nameless(AT_FDCWD, spill_folder(s));
        if (fd < 0)
            return spill_fail(s, fd, e);
        s->fd = fd;
    }
    int r = io_pwrite_all(s->fd, s->bytes, s->n, s->file);
    if (r < 0)
        return spill_fail(s, r, e);
    s->file += s->n;
    s->n = 0;
    return 0;
}

/* Makes `bytes` larger, up to the limit. */
static int spill_grow(struct answer_spill *s, struct err *e)
{
    size_t cap = s->cap ? 2 * s->cap : LEAST_MEMORY;
    if (cap > s->memory)
        cap = s->memory;
    uint8_t *bytes = realloc(s->bytes, cap);
    if (!bytes)
        return no_memory(e);
    s->bytes = bytes;
    s->cap = cap;
    return 0;
}

int answer_spill_add(struct answer_spill *s, const void *p, size_t n, struct err *e)
{
    int r = 0;
    for (const uint8_t *from = p; r == 0 && n > 0;) {
        size_t some = s->cap - s->n < n ? s->cap - s->n : n;
        if (some > 0)
            memcpy(s->bytes + s->n, from, some);
        s->n += some;
        from += some;
        n -= some;
        if (n > 0)
            r = s->cap < s->memory ? spill_grow(s, e) : spill_write(s, e);
    }
    return r;
}

static size_t page_size(const struct answer_spill *s, size_t places)
{
    size_t page = MOST_PAGE;
    while (page > LEAST_PAGE && page > s->memory / 2 / (places + 1))
        page /= 2;
    return page;
}

int answer_spill_look(struct answer_spill *s, size_t places, struct err *e)
{
    if (s->file == 0)
        return 0;
    int r = spill_write(s, e);
    if (r < 0)
        return r;
    s->page = page_size(s, places);
    s->slots = s->cap / s->page;
    free(s->which);
    s->which = malloc(s->slots * sizeof(*s->which));
    if (!s->which)
        return no_memory(e);
    memset(s->which, 0xff, s->slots * sizeof(*s->which));
    return 0;
}

/* The page of this number, in memory. Pages are strewn over the slots: series are about as long as
 * each other, and so would meet in the same ones. */
static int spill_page(struct answer_spill *s, uint64_t number, const uint8_t **page, struct err *e)
{
    const uint64_t begin = number * s->page, hash = (number * 0x9e3779b97f4a7c15) >> 32;
    const size_t slot = (size_t)((hash * s->slots) >> 32);
    uint8_t *p = s->bytes + slot * s->page;
    *page = p;
    if (s->which[slot] == number)
        return 0;
    size_t n = s->file - begin < s->page ? (size_t)(s->file - begin) : s->page;
    s->which[slot] = NO_PAGE;
    int r = io_pread_all(s->fd, p, n, begin);
    if (r < 0)
        return spill_fail(s, r, e);
    s->which[slot] = number;
    return 0;
}

int answer_spill_read(struct answer_spill *s, uint64_t place, void *to, size_t n, struct err *e)
{
    const uint8_t *page;
    if (n > answer_spill_size(s) || place > answer_spill_size(s) - n)
        return err_set(e, -EIO, "a temporary file in %s has changed", spill_folder(s));
    if (s->file == 0) {
        memcpy(to, s->bytes + place, n);
        return 0;
    }
    for (uint8_t *out = to; n > 0;) {
        const size_t skip = place % s->page, some = s->page - skip < n ? s->page - skip : n;
        int r = spill_page(s, place / s->page, &page, e);
        if (r < 0)
            return r;
        memcpy(out, page + skip, some);
        out += some;
        place += some;
        n -= some;
    }
    return 0;
}

void answer_spill_clear(struct answer_spill *s)
{
    s->file = 0;
    s->n = 0;
}
