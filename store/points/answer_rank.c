/* SPDX-License-Identifier: MIT */
/*
 * The tags of a series as one text whose bytes are in their order: each tag, a NUL in it as 00 FF, and
 * 00 01 after it, up to the first that the series lacks. A series that lacks one is equal to all whose
 * text begins with its own: those follow it directly.
 *
 * A rank is the place of a series in that order; those with the same text have that of the first of them.
 */
#include "store/points/answer_rank.h"

#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/points/answer_sort.h"

#include <errno.h>

struct answer_rank {
    const struct columns *columns;
    struct answer_spill *spill;
    size_t memory;
    size_t leading; /* tags before the first field */
    bool fields;    /* which is a string */
    bool sorted;    /* the series so far came in their order, and none lacks a tag */
    bool missing;   /* some lack a tag */
    bool equal;     /* some have the same text */
    bool finished;
    uint32_t n, latest;         /* of series; the last one seen that has rows */
    struct answer_array *ranks; /* by series */
    struct answer_array
        *last; /* by rank: the last one that is equal to it; NULL: none lacks a tag */
    struct buffer text, previous;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the order of series");
}

int answer_rank_new(const struct columns *c, struct answer_spill *spill, size_t memory,
                    struct answer_rank **out)
{
    struct answer_rank *k = calloc(1, sizeof(*k));
    if (!k || answer_array_new(spill, sizeof(uint32_t), &k->ranks) < 0) {
        free(k);
        return -ENOMEM;
    }
    k->columns = c;
    k->spill = spill;
    k->memory = memory;
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
    answer_array_free(k->ranks);
    answer_array_free(k->last);
    free(k);
}

bool answer_rank_strict(const struct answer_rank *k)
{
    return k->finished && !k->missing && !k->equal;
}

bool answer_rank_sorted(const struct answer_rank *k)
{
    return answer_rank_strict(k) && k->sorted;
}

bool answer_rank_fields(const struct answer_rank *k)
{
    return k->fields && !answer_rank_strict(k);
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

static struct slice slice_of(const struct buffer *b)
{
    return (struct slice){b->p, b->n};
}

int answer_rank_see(struct answer_rank *k, const struct points_cell *cells)
{
    uint32_t rank = k->n++;
    bool whole;
    if (cells && rank_text(k, cells, &k->text, &whole) < 0)
        return -ENOMEM;
    if (cells) {
        const int c =
            k->previous.p ? slice_compare(slice_of(&k->previous), slice_of(&k->text)) : -1;
        k->missing |= !whole;
        k->equal |= c == 0;
        k->sorted = k->sorted && whole && c <= 0;
        rank = c == 0 ? answer_rank_of(k, k->latest) : rank;
        k->latest = k->n - 1;
        const struct buffer swap = k->text;
        k->text = k->previous;
        k->previous = swap;
    }
    answer_array_add(k->ranks, &rank);
    return 0;
}

/* While the series come in their order: those that lack a tag, and whose text the current one begins
 * with; each text begins with the one before it. */
struct open_one {
    uint32_t rank;
    size_t n; /* bytes of its text */
};

struct ranking {
    struct open_one *open;
    size_t nopen, room;
    struct buffer text; /* of the last of them */
};

/* No more series begin with the texts of those that this one does not begin with. */
static void rank_close(struct answer_rank *k, struct ranking *g, struct slice text, uint32_t place)
{
    for (; g->nopen > 0; g->nopen--) {
        const struct open_one *one = &g->open[g->nopen - 1];
        if (text.p && text.n >= one->n && memcmp(text.p, g->text.p, one->n) == 0)
            return;
        *(uint32_t *)answer_array_change(k->last, one->rank) = place - 1;
    }
}

static int rank_open(struct ranking *g, struct slice text, uint32_t rank)
{
    if (!array_room(&g->open, &g->room, g->nopen + 1))
        return -ENOMEM;
    g->open[g->nopen++] = (struct open_one){rank, text.n};
    g->text.n = 0;
    buffer_add(&g->text, text.p, text.n);
    return g->text.failed ? -ENOMEM : 0;
}

/* Ranks the series as they come sorted. A number is that of the series, twice, and 1 more if it lacks a
 * tag. */
static int rank_place_all(struct answer_rank *k, struct answer_sort *sort, struct ranking *g,
                          struct err *e)
{
    struct slice text;
    uint64_t number;
    uint32_t place = 0, rank = 0;
    int r;
    k->previous.n = 0;
    k->equal = false;
    for (; (r = answer_sort_next(sort, &text, &number, e)) == 1; place++) {
        const bool same = place > 0 && slice_compare(slice_of(&k->previous), text) == 0;
        k->equal |= same;
        rank = same ? rank : place;
        *(uint32_t *)answer_array_change(k->ranks, number >> 1) = rank;
        k->previous.n = 0;
        buffer_add(&k->previous, text.p, text.n);
        if (k->missing) {
            rank_close(k, g, text, place);
            answer_array_add(k->last, &place);
        }
        if (k->previous.failed || (!same && number & 1 && rank_open(g, text, rank) < 0))
            return no_memory(e);
    }
    if (r == 0)
        rank_close(k, g, (struct slice){NULL, 0}, place);
    return r;
}

/* Puts the texts of all series. */
static int rank_put_all(struct answer_rank *k, struct answer_sort *sort,
                        const struct answer_rank_again *again, struct err *e)
{
    const struct points_cell *cells;
    uint32_t series;
    bool whole;
    int r;
    while ((r = again->next(again->ctx, &series, &cells, e)) == 1)
        if (rank_text(k, cells, &k->text, &whole) < 0 ||
            answer_sort_put(sort, slice_of(&k->text), (uint64_t)series << 1 | !whole) < 0)
            return no_memory(e);
    return r;
}

static int rank_sort_all(struct answer_rank *k, const struct answer_rank_again *again,
                         struct err *e)
{
    cleanup(answer_sort_freep) struct answer_sort *sort = NULL;
    struct ranking g = {0};
    if (answer_sort_new(k->spill, k->memory, &sort) < 0 ||
        (k->missing && answer_array_new(k->spill, sizeof(uint32_t), &k->last) < 0))
        return no_memory(e);
    int r = rank_put_all(k, sort, again, e);
    if (r == 0)
        r = rank_place_all(k, sort, &g, e);
    buffer_free(&g.text);
    free(g.open);
    return r;
}

int answer_rank_finish(struct answer_rank *k, const struct answer_rank_again *again, struct err *e)
{
    int r = k->sorted ? 0 : rank_sort_all(k, again, e);
    k->finished = true;
    return r;
}

uint32_t answer_rank_of(const struct answer_rank *k, uint32_t series)
{
    return *(const uint32_t *)answer_array_at(k->ranks, series);
}

static bool is_equal(const struct answer_rank *k, uint32_t low, uint32_t high)
{
    return k->last && high <= *(const uint32_t *)answer_array_at(k->last, low);
}

int answer_rank_compare(const struct answer_rank *k, uint32_t a, uint32_t b)
{
    if (a == b || is_equal(k, a < b ? a : b, a < b ? b : a))
        return 0;
    return a < b ? -1 : 1;
}
