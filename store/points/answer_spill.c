/* SPDX-License-Identifier: MIT */
/*
 * Pages are swapped as a kernel does it: a hand goes around those in memory and takes the first that was
 * not used since it came by last. So the upper levels of a heap stay, and what is put down and read in
 * order passes through.
 */
#include "store/points/answer_spill.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A page is a part of the budget, within these bounds: a smaller one would not make pread(2) cheaper. */
#define LEAST_PAGE ((size_t)256)
#define MOST_PAGE ((size_t)4096)
#define PAGES 256
#define LEAST_PAGES 4
#define NOWHERE UINT32_MAX

/* Which page lies in a frame of memory. */
struct frame {
    struct answer_array *array; /* NULL: none any more */
    size_t page;
    uint8_t *bytes;
};

struct answer_spill {
    const char *folder;
    struct points_spilled *count;
    size_t page, most; /* bytes of a page; pages in memory */
    struct frame *frames;
    size_t nframes, hand;
    int fd;         /* -1: there is no file yet */
    uint32_t file;  /* pages in it */
    uint32_t *free; /* of these, the ones that nothing lies in */
    size_t nfree, free_room;
    uint8_t *
        spare; /* two pages: zeros, which arrays hold after a failure, and what is put there then */
    int failed;
    struct err why;
};

int answer_spill_new(size_t memory, const char *folder, struct points_spilled *count,
                     struct answer_spill **out)
{
    struct answer_spill *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->page = MOST_PAGE;
    while (s->page > LEAST_PAGE && s->page > memory / PAGES)
        s->page /= 2;
    s->most = memory / s->page > LEAST_PAGES ? memory / s->page : LEAST_PAGES;
    s->folder = folder;
    s->count = count;
    s->fd = -1;
    s->spare = calloc(2, s->page);
    if (!s->spare) {
        free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

size_t answer_spill_room(const struct answer_spill *s)
{
    return s->most * s->page;
}

static uint64_t spill_bytes(const struct answer_spill *s)
{
    return (uint64_t)s->file * s->page;
}

void answer_spill_free(struct answer_spill *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->count)
        s->count->bytes -= spill_bytes(s);
    for (size_t i = 0; i < s->nframes; i++)
        free(s->frames[i].bytes);
    free(s->frames);
    free(s->free);
    free(s->spare);
    free(s);
}

int answer_spill_check(const struct answer_spill *s, struct err *e)
{
    return s->failed ? err_set(e, s->failed, "%s", s->why.text) : 0;
}

static const char *spill_folder(const struct answer_spill *s)
{
    return s->folder ? s->folder : io_temporary_folder();
}

/* Remembers the first failure. */
static void spill_fail(struct answer_spill *s, int code)
{
    const char *another = s->folder ? "" : "name another folder (TMPDIR), ";
    if (s->failed)
        return;
    s->failed = code;
    if (code == -ENOSPC || code == -EDQUOT)
        err_sys(&s->why, code,
                "%s has no room for %llu MiB of rows of an answer and more: make room there, %sor "
                "give it more memory (memory=)",
                spill_folder(s), (unsigned long long)(spill_bytes(s) >> 20) + 1, another);
    else
        err_sys(&s->why, code, "a temporary file in %s%s", spill_folder(s),
                s->folder ? "" : " (TMPDIR)");
}

static void spill_no_memory(struct answer_spill *s)
{
    if (!s->failed)
        s->failed = err_sys(&s->why, -ENOMEM, "the rows of an answer");
}

/* A place in the file, at its end if need be. */
static int spill_place(struct answer_spill *s, uint32_t *place)
{
    if (s->fd < 0)
        s->fd = io_open_nameless(AT_FDCWD, spill_folder(s));
    if (s->fd < 0 || (s->nfree == 0 && s->file == NOWHERE))
        return s->fd < 0 ? s->fd : -EFBIG;
    if (s->nfree > 0) {
        *place = s->free[--s->nfree];
        return 0;
    }
    *place = s->file++;
    if (!s->count)
        return 0;
    const uint64_t now = atomic_fetch_add(&s->count->bytes, s->page) + s->page;
    uint64_t most = s->count->most;
    while (most < now && !atomic_compare_exchange_weak(&s->count->most, &most, now))
        ;
    return 0;
}

/* Moves a page that may have changed out of memory. */
static int spill_put_out(struct answer_spill *s, struct answer_page *g)
{
    int r = g->dirty && g->place == NOWHERE ? spill_place(s, &g->place) : 0;
    if (r == 0 && g->dirty)
        r = io_pwrite_all(s->fd, g->bytes, s->page, (uint64_t)g->place * s->page);
    if (r == 0)
        g->bytes = NULL;
    return r;
}

/* A frame to put a page in, which nothing lies in. NULL: it has failed. */
static struct frame *spill_frame(struct answer_spill *s)
{
    if (s->nframes < s->most) {
        struct frame *f = array_grow(&s->frames, s->nframes) ? &s->frames[s->nframes] : NULL;
        uint8_t *bytes = f ? malloc(s->page) : NULL;
        if (bytes) {
            *f = (struct frame){.bytes = bytes};
            s->nframes++;
            return f;
        }
        spill_no_memory(s);
        return NULL;
    }
    for (;; s->hand++) {
        struct frame *f = &s->frames[s->hand %= s->nframes];
        struct answer_page *g = f->array ? &f->array->pages[f->page] : NULL;
        if (g && g->used) {
            g->used = false;
            continue;
        }
        int r = g ? spill_put_out(s, g) : 0;
        if (r < 0)
            return spill_fail(s, r), NULL;
        s->hand++;
        f->array = NULL;
        return f;
    }
}

static int spill_fill(const struct answer_spill *s, const struct answer_page *g, uint8_t *bytes)
{
    if (g->place != NOWHERE)
        return io_pread_all(s->fd, bytes, s->page, (uint64_t)g->place * s->page);
    memset(bytes, 0, s->page);
    return 0;
}

void answer_array_bring(struct answer_array *a, uint64_t i)
{
    struct answer_spill *s = a->spill;
    const size_t page = (size_t)(i >> a->page_shift);
    struct answer_page *g = &a->pages[page];
    struct frame *f = s->failed ? NULL : spill_frame(s);
    int r = f ? spill_fill(s, g, f->bytes) : 0;
    if (r < 0)
        spill_fail(s, r);
    g->dirty = false;
    if (!f || r < 0) {
        g->bytes = s->spare;
        return;
    }
    *f = (struct frame){a, page, f->bytes};
    g->bytes = f->bytes;
}

int answer_array_new(struct answer_spill *s, size_t size, struct answer_array **out)
{
    struct answer_array *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->spill = s;
    a->none.bytes = s->spare;
    a->size_shift = (unsigned)__builtin_ctzl(size);
    a->page_shift = (unsigned)__builtin_ctzl(s->page) - a->size_shift;
    *out = a;
    return 0;
}

void answer_array_free(struct answer_array *a)
{
    if (!a)
        return;
    struct answer_spill *s = a->spill;
    for (size_t i = 0; i < s->nframes; i++)
        if (s->frames[i].array == a)
            s->frames[i].array = NULL;
    for (size_t i = 0; i < a->npages; i++)
        if (a->pages[i].place != NOWHERE && array_room(&s->free, &s->free_room, s->nfree + 1))
            s->free[s->nfree++] = a->pages[i].place; /* else it stays unused */
    free(a->pages);
    free(a);
}

/* Makes the array longer. false: it has failed. */
static bool array_extend(struct answer_array *a, uint64_t n)
{
    const uint64_t pages = (a->n + n + ((uint64_t)1 << a->page_shift) - 1) >> a->page_shift;
    for (; a->npages < pages; a->npages++) {
        if (!array_grow(&a->pages, a->npages))
            return spill_no_memory(a->spill), false;
        a->pages[a->npages] = (struct answer_page){.place = NOWHERE};
    }
    a->n += n;
    return true;
}

void answer_array_extend(struct answer_array *a, uint64_t n)
{
    array_extend(a, n);
}

void answer_array_add(struct answer_array *a, const void *item)
{
    if (array_extend(a, 1))
        memcpy(answer_array_change(a, a->n - 1), item, (size_t)1 << a->size_shift);
}

/* Pages keep their places in the file, for what comes next, but need not be written there. */
void answer_array_clear(struct answer_array *a)
{
    for (size_t i = 0; i < a->npages; i++)
        a->pages[i].used = a->pages[i].dirty = false;
    a->n = 0;
}

/* How many of n bytes at a place lie in its page. */
static size_t array_some(const struct answer_array *a, uint64_t place, size_t n)
{
    const size_t some = a->spill->page - answer_array_within(a, place);
    return some < n ? some : n;
}

void answer_array_write(struct answer_array *a, uint64_t place, const void *bytes, size_t n)
{
    for (const uint8_t *from = bytes; n > 0;) {
        const size_t some = array_some(a, place, n);
        memcpy(answer_array_change(a, place), from, some);
        from += some;
        place += some;
        n -= some;
    }
}

void answer_array_put(struct answer_array *a, const void *bytes, size_t n)
{
    const uint64_t place = a->n;
    if (array_extend(a, n))
        answer_array_write(a, place, bytes, n);
}

void answer_array_take(struct answer_array *a, uint64_t place, void *to, size_t n)
{
    if (n > a->n || place > a->n - n) {
        spill_fail(a->spill, -EIO);
        memset(to, 0, n);
        return;
    }
    for (uint8_t *out = to; n > 0;) {
        const size_t some = array_some(a, place, n);
        memcpy(out, answer_array_at(a, place), some);
        out += some;
        place += some;
        n -= some;
    }
}
