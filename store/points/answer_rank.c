/* SPDX-License-Identifier: MIT */
/*
 * The tags of a series as one text whose bytes are in their order: each tag, a NUL in it as 00 FF, and
 * 00 01 after it, up to the first that the series lacks. A series that lacks one is equal to all whose
 * text begins with its own: those follow it directly.
 */
#include "store/points/answer_rank.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>

#define PIECE 4 /* bytes that are compared at a time */

/* In answer_rank.last, for a moment: ENDS + the number of bytes of this piece, of a series that lacks a
 * tag. No place is that high. */
#define ENDS (UINT32_MAX - PIECE)

struct item {
    uint32_t piece; /* of the text */
    uint32_t series;
};

/* Items first <= i < end, which are equal so far. */
struct group {
    uint32_t first, end;
    size_t depth; /* bytes that were compared */
};

struct answer_rank {
    const struct columns *columns;
    size_t leading;     /* tags before the first field */
    bool fields;        /* which is a string */
    bool sorted;        /* the series so far came in their order, and none lacks a tag */
    bool missing;       /* some lack a tag */
    uint32_t n, latest; /* of series; the last one seen that has rows */
    uint32_t *first;    /* by series: the first place of those with the same tags */
    uint32_t
        *last; /* by series: the last place of those that it is equal to; NULL: it is not needed */
    struct buffer text, previous;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the order of series");
}

int answer_rank_new(const struct columns *c, struct answer_rank **out)
{
    struct answer_rank *k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->columns = c;
    while (k->leading < c->n && c->list[k->leading].is_tag)
        k->leading++;
    k->fields = k->leading < c->n && c->list[k->leading].type == VALUE_STRING;
    k->sorted = true;
    *out = k;
    return 0;
}

void answer_rank_free(struct answer_rank *k)
{
    if (!k)
        return;
    buffer_free(&k->text);
    buffer_free(&k->previous);
    free(k->first);
    free(k->last);
    free(k);
}

bool answer_rank_fields(const struct answer_rank *k)
{
    return k->fields;
}

static void rank_add_text(struct buffer *to, struct slice text)
{
    while (text.n > 0) {
        const char *nul = memchr(text.p, 0, text.n);
        size_t n = nul ? (size_t)(nul - text.p) : text.n;
        buffer_add(to, text.p, n);
        if (nul)
            buffer_add(to, "\0\xff", 2);
        n += nul != NULL;
        text.p += n;
        text.n -= n;
    }
    buffer_add(to, "\0\1", 2);
}

/* Makes the text of a series; *whole: it lacks none of the tags. */
static int rank_text(const struct answer_rank *k, const struct points_cell *cells,
                     struct buffer *to, bool *whole)
{
    size_t i = 0;
    to->n = 0;
    buffer_add(to, "", 0);
    for (; i < k->leading && cells[i].present; i++)
        rank_add_text(to, points_text(&cells[i]));
    *whole = i == k->leading;
    return to->failed ? -ENOMEM : 0;
}

int answer_rank_see(struct answer_rank *k, const struct points_cell *cells)
{
    const uint32_t i = k->n;
    bool whole;
    if (!array_grow(&k->first, i))
        return -ENOMEM;
    k->first[i] = i;
    k->n++;
    if (!cells)
        return 0;
    if (rank_text(k, cells, &k->text, &whole) < 0)
        return -ENOMEM;
    const struct slice text = {k->text.p, k->text.n}, previous = {k->previous.p, k->previous.n};
    const int c = k->previous.p ? slice_compare(previous, text) : -1;
    k->missing |= !whole;
    k->sorted = k->sorted && whole && c <= 0;
    if (c == 0)
        k->first[i] = k->first[k->latest];
    k->latest = i;
    const struct buffer swap = k->text;
    k->text = k->previous;
    k->previous = swap;
    return 0;
}

/* While series are sorted. */
struct sorting {
    struct answer_rank *rank;
    const struct answer_rank_again *again;
    struct item *items;
    uint32_t n;
    struct group *groups; /* to be sorted further */
    size_t ngroups;
};

/* Fetches a piece of the text of an item. *more: bytes follow it. */
static int rank_piece(const struct sorting *s, struct item *item, size_t depth, bool *more,
                      struct err *e)
{
    struct answer_rank *k = s->rank;
    const struct points_cell *cells;
    bool whole;
    int r = s->again->read(s->again->ctx, item->series, &cells, e);
    if (r < 0)
        return r;
    if (rank_text(k, cells, &k->text, &whole) < 0)
        return no_memory(e);
    const size_t n = k->text.n;
    item->piece = 0;
    for (size_t i = depth; i < depth + PIECE; i++)
        item->piece = item->piece << 8 | (i < n ? (uint8_t)k->text.p[i] : 0);
    if (!whole && n <= depth + PIECE && (n > depth || depth == 0))
        k->last[item->series] = ENDS + (uint32_t)(n - depth);
    *more |= n > depth + PIECE;
    return 0;
}

static bool item_is_before(const struct item *a, const struct item *b)
{
    return a->piece != b->piece ? a->piece < b->piece : a->series < b->series;
}

/* Shell's way, as it needs no memory and is quick where much is in order. */
static void rank_sort(struct item *items, uint32_t n)
{
    for (uint32_t gap = n; gap > 1;) {
        gap = gap < 5 ? 1 : (uint32_t)((uint64_t)gap * 5 / 11);
        for (uint32_t i = gap; i < n; i++) {
            const struct item one = items[i];
            uint32_t j = i;
            for (; j >= gap && item_is_before(&one, &items[j - gap]); j -= gap)
                items[j] = items[j - gap];
            items[j] = one;
        }
    }
}

static bool is_up_to(const void *item, const void *piece)
{
    return ((const struct item *)item)->piece <= *(const uint32_t *)piece;
}

/* The last place of the items in the group that begin as the one whose text ends in this piece. */
static uint32_t rank_last(const struct sorting *s, const struct group *g, const struct item *of)
{
    const uint32_t n = s->rank->last[of->series] - ENDS;
    const uint32_t most = n < PIECE ? of->piece | UINT32_MAX >> 8 * n : of->piece;
    return g->first +
           (uint32_t)array_bisect(s->items + g->first, g->end - g->first, sizeof(*s->items), &most,
                                  is_up_to) -
           1;
}

/* Gives the items of a sorted group their places; those that are still equal are sorted further if
 * there is more of their texts. */
static int rank_place(struct sorting *s, const struct group *g, bool more)
{
    struct answer_rank *k = s->rank;
    uint32_t first = g->first;
    for (uint32_t i = g->first; i < g->end; i++) {
        const struct item *one = &s->items[i];
        if (one->piece != s->items[first].piece)
            first = i;
        k->first[one->series] = first;
        if (k->last[one->series] >= ENDS)
            k->last[one->series] = rank_last(s, g, one);
        bool ends = i + 1 == g->end || s->items[i + 1].piece != one->piece;
        if (!more || !ends || i == first)
            continue;
        if (!array_grow(&s->groups, s->ngroups))
            return -ENOMEM;
        s->groups[s->ngroups++] = (struct group){first, i + 1, g->depth + PIECE};
    }
    return 0;
}

static int rank_sort_group(struct sorting *s, const struct group *g, struct err *e)
{
    bool more = false;
    for (uint32_t i = g->first; i < g->end; i++) {
        int r = rank_piece(s, &s->items[i], g->depth, &more, e);
        if (r < 0)
            return r;
    }
    rank_sort(s->items + g->first, g->end - g->first);
    return rank_place(s, g, more) < 0 ? no_memory(e) : 0;
}

static int rank_sort_all(struct sorting *s, struct err *e)
{
    struct answer_rank *k = s->rank;
    s->items = calloc((size_t)k->n + 1, sizeof(*s->items));
    k->last = calloc((size_t)k->n + 1, sizeof(*k->last));
    if (!s->items || !k->last)
        return no_memory(e);
    for (uint32_t i = 0; i < k->n; i++)
        if (s->again->has_rows(s->again->ctx, i))
            s->items[s->n++].series = i;
    struct group g = {0, s->n, 0};
    int r = rank_sort_group(s, &g, e);
    while (r == 0 && s->ngroups > 0) {
        g = s->groups[--s->ngroups];
        r = rank_sort_group(s, &g, e);
    }
    return r;
}

int answer_rank_finish(struct answer_rank *k, const struct answer_rank_again *again, struct err *e)
{
    struct sorting s = {.rank = k, .again = again};
    int r = k->sorted ? 0 : rank_sort_all(&s, e);
    free(s.items);
    free(s.groups);
    if (!k->missing) {
        free(k->last);
        k->last = NULL;
    }
    return r;
}

int answer_rank_compare(const struct answer_rank *k, uint32_t a, uint32_t b)
{
    const uint32_t pa = k->first[a], pb = k->first[b];
    if (pa < pb)
        return k->last && pb <= k->last[a] ? 0 : -1;
    if (pa > pb)
        return k->last && pa <= k->last[b] ? 0 : 1;
    return 0;
}
