/* SPDX-License-Identifier: MIT */
#include "store/points/answer_sort.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/keyheap.h"

#include <errno.h>

/* A text of the part that is being filled. */
struct item {
    size_t at, n; /* in the part's texts */
    uint64_t number;
};

/* A part that was sorted: a record for each text, which is this and its bytes. */
struct record {
    uint64_t number;
    size_t n;
};

struct part {
    uint64_t place, end; /* of its next record, and after its last one, in the array */
    struct buffer text;  /* the current one */
    uint64_t number;
};

struct answer_sort {
    struct answer_spill *spill;
    struct answer_array *records;
    size_t memory;
    struct buffer texts;
    struct item *items;
    size_t nitems, items_room;
    struct part *parts;
    size_t nparts;
    struct keyheap heap; /* of the parts; items NULL: nothing was taken yet */
    bool failed;         /* -ENOMEM while it was read */
};

int answer_sort_new(struct answer_spill *spill, size_t memory, struct answer_sort **out)
{
    struct answer_sort *s = calloc(1, sizeof(*s));
    if (!s || answer_array_new(spill, 1, &s->records) < 0) {
        free(s);
        return -ENOMEM;
    }
    s->spill = spill;
    s->memory = memory;
    *out = s;
    return 0;
}

static void sort_end_part(struct answer_sort *s)
{
    buffer_free(&s->texts);
    free(s->items);
    s->items = NULL;
    s->nitems = s->items_room = 0;
}

void answer_sort_free(struct answer_sort *s)
{
    if (!s)
        return;
    sort_end_part(s);
    for (size_t i = 0; i < s->nparts; i++)
        buffer_free(&s->parts[i].text);
    free(s->parts);
    keyheap_free(&s->heap);
    answer_array_free(s->records);
    free(s);
}

static int by_text(const void *va, const void *vb, void *texts)
{
    const struct item *a = va, *b = vb;
    const struct slice ta = {(const char *)texts + a->at, a->n};
    const struct slice tb = {(const char *)texts + b->at, b->n};
    const int c = slice_compare(ta, tb);
    return c ? c : (a->at > b->at) - (a->at < b->at);
}

/* Sorts what is in memory, and puts it down as a part. */
static int sort_put_part(struct answer_sort *s)
{
    if (!array_grow(&s->parts, s->nparts))
        return -ENOMEM;
    struct part *p = &s->parts[s->nparts++];
    *p = (struct part){.place = answer_array_count(s->records)};
    if (s->nitems > 0)
        qsort_r(s->items, s->nitems, sizeof(*s->items), by_text, s->texts.p);
    for (size_t i = 0; i < s->nitems; i++) {
        const struct item *one = &s->items[i];
        const struct record head = {one->number, one->n};
        answer_array_put(s->records, &head, sizeof(head));
        answer_array_put(s->records, s->texts.p + one->at, one->n);
    }
    p->end = answer_array_count(s->records);
    s->nitems = s->texts.n = 0;
    return 0;
}

int answer_sort_put(struct answer_sort *s, struct slice text, uint64_t number)
{
    /* qsort_r(3) takes memory for as many items again. */
    if (s->texts.n + 2 * s->nitems * sizeof(*s->items) >= s->memory && sort_put_part(s) < 0)
        return -ENOMEM;
    if (!array_room(&s->items, &s->items_room, s->nitems + 1))
        return -ENOMEM;
    s->items[s->nitems++] = (struct item){s->texts.n, text.n, number};
    buffer_add(&s->texts, text.p, text.n);
    buffer_add(&s->texts, "", 1); /* so that no two begin at the same place */
    return s->texts.failed ? -ENOMEM : 0;
}

/* Reads the next record of a part. false: it has ended, or the spill has failed. */
static bool sort_read(struct answer_sort *s, struct part *p)
{
    struct record head;
    if (p->place >= p->end)
        return false;
    answer_array_take(s->records, p->place, &head, sizeof(head));
    p->text.n = 0;
    if (answer_spill_check(s->spill, NULL) < 0)
        return false;
    char *to = buffer_reserve(&p->text, head.n);
    if (!to) {
        s->failed = true;
        return false;
    }
    answer_array_take(s->records, p->place + sizeof(head), to, head.n);
    p->text.n = head.n;
    p->number = head.number;
    p->place += sizeof(head) + head.n;
    return true;
}

static struct slice text_of(const struct part *p)
{
    return (struct slice){p->text.p, p->text.n};
}

static int sort_begin(struct answer_sort *s)
{
    if (sort_put_part(s) < 0 || keyheap_init(&s->heap, s->nparts) < 0)
        return -ENOMEM;
    sort_end_part(s);
    for (size_t i = 0; i < s->nparts; i++)
        if (sort_read(s, &s->parts[i]))
            keyheap_add(&s->heap, text_of(&s->parts[i]), i);
    return 0;
}

/* Moves past the text that was given last. */
static void sort_move(struct answer_sort *s)
{
    struct part *p = &s->parts[s->heap.items[0].number];
    keyheap_move(&s->heap, sort_read(s, p) ? text_of(p) : (struct slice){NULL, 0});
}

int answer_sort_next(struct answer_sort *s, struct slice *text, uint64_t *number, struct err *e)
{
    if (s->heap.items && s->heap.n > 0)
        sort_move(s);
    else if (!s->heap.items && sort_begin(s) < 0)
        return err_sys(e, -ENOMEM, "the order of series");
    int r =
        s->failed ? err_sys(e, -ENOMEM, "the order of series") : answer_spill_check(s->spill, e);
    if (r < 0 || s->heap.n == 0)
        return r;
    const struct part *p = &s->parts[s->heap.items[0].number];
    *text = text_of(p);
    *number = p->number;
    return 1;
}
