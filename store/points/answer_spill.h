/* SPDX-License-Identifier: MIT */
/*
 * Memory for arrays of any size: pages of them that were used lately lie in memory, as many as the
 * budget holds, all others in a file without a name, which a kill does not leave behind.
 *
 *   answer_spill_new, answer_array_new …, answer_array_add …, answer_array_at …, answer_spill_check
 *
 * What fails is remembered: from then on arrays hold zeros, and answer_spill_check tells. So whoever
 * uses them need not check each step, but the outcome. One thread at a time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_SPILL_H
#define INFLUXFS_POINTS_ANSWER_SPILL_H

#include "store/base/err.h"
#include "store/points/points_types.h"

struct answer_spill;

/* The module's own; here since items are used often. */
struct answer_page {
    uint8_t *bytes;   /* NULL: not in memory */
    uint32_t place;   /* in the file, counted in pages; UINT32_MAX: it has none yet */
    bool used, dirty; /* since the hand came by; since it was read or written */
};
struct answer_array {
    struct answer_spill *spill;
    unsigned size_shift, page_shift; /* of an item in bytes; of a page in items */
    uint64_t n;
    struct answer_page *pages;
    size_t npages;
    struct answer_page
        none; /* for items that are not there, as memory ran out; its bytes are zeros, and
                              * after them is where changes go that nobody is to see */
};
/* Brings the page of item i into memory; after a failure, zeros that are no page's. */
void answer_array_bring(struct answer_array *a, uint64_t i);
/* Where in its page an item lies. */
static inline size_t answer_array_within(const struct answer_array *a, uint64_t i)
{
    return (size_t)(i & (((uint64_t)1 << a->page_shift) - 1)) << a->size_shift;
}

/* This many bytes of pages are kept in memory. folder: that of the file, which must outlive the result;
 * NULL: io_temporary_folder. count: where the file is counted; may be NULL. 0 or -ENOMEM. */
int answer_spill_new(size_t memory, const char *folder, struct points_spilled *count,
                     struct answer_spill **out);
void answer_spill_free(struct answer_spill *s); /* after its arrays; NULL is allowed */

size_t answer_spill_room(const struct answer_spill *s); /* bytes of pages that memory holds */

/* 0, or what has failed: -ENOSPC and others of the file, with the folder in *e; -ENOMEM; -EIO for
 * bytes that an array does not have. */
int answer_spill_check(const struct answer_spill *s, struct err *e);

/* Of items of 1 to 16 bytes, a power of two. 0 or -ENOMEM. */
int answer_array_new(struct answer_spill *s, size_t size, struct answer_array **out);
void answer_array_free(struct answer_array *a); /* NULL is allowed */
static inline void answer_array_freep(struct answer_array **a)
{
    answer_array_free(*a);
}

static inline uint64_t answer_array_count(const struct answer_array *a)
{
    return a->n;
}

static inline struct answer_page *answer_array_page(struct answer_array *a, uint64_t i)
{
    return i < a->n ? &a->pages[i >> a->page_shift] : &a->none;
}

/* Item i, which the array must have unless the spill has failed, to be read; or to be changed. Valid until
 * any array of the same spill is used again. */
static inline const void *answer_array_at(struct answer_array *a, uint64_t i)
{
    struct answer_page *g = answer_array_page(a, i);
    if (!g->bytes)
        answer_array_bring(a, i);
    g->used = true;
    return g->bytes + answer_array_within(a, i);
}
static inline void *answer_array_change(struct answer_array *a, uint64_t i)
{
    uint8_t *item = (uint8_t *)answer_array_at(a, i);
    struct answer_page *g = answer_array_page(a, i);
    g->dirty = true;
    return g->bytes == a->none.bytes ? item + ((size_t)1 << a->page_shift << a->size_shift) : item;
}

void answer_array_extend(struct answer_array *a, uint64_t n); /* adds items, all zeros */
void answer_array_add(struct answer_array *a, const void *item);
void answer_array_clear(struct answer_array *a); /* removes all items */

/* Of an array of bytes: puts n of them after all others; copies those from a place; writes over them. */
void answer_array_put(struct answer_array *a, const void *bytes, size_t n);
void answer_array_take(struct answer_array *a, uint64_t place, void *to, size_t n);
void answer_array_write(struct answer_array *a, uint64_t place, const void *bytes, size_t n);

#endif
