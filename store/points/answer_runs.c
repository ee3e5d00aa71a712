/* SPDX-License-Identifier: MIT */
#include "store/points/answer_runs.h"

#include "store/base/array.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#define KEY_BYTES 12

struct answer_run {
    uint64_t begin, end;       /* places */
    uint64_t at;               /* after the next row's record */
    struct answer_record head; /* of the next row */
    char key[KEY_BYTES];       /* its time and series, as bytes that are in their order */
};

void answer_runs_clear(struct answer_runs *r)
{
    r->n = 0;
}

void answer_runs_free(struct answer_runs *r)
{
    free(r->list);
    keyheap_free(&r->heap);
    *r = (struct answer_runs){.list = NULL};
}

int answer_runs_add(struct answer_runs *r, uint64_t begin, uint64_t end)
{
    if (!array_room(&r->list, &r->room, r->n + 1))
        return -ENOMEM;
    r->list[r->n++] = (struct answer_run){.begin = begin, .end = end};
    return 0;
}

/* Reads the record of the run's next row, which must not be before a time. */
static bool run_read(struct answer_run *one, struct answer_array *rows, int64_t least)
{
    const uint64_t left = one->at - one->begin, size = sizeof(one->head);
    if (left < size)
        return false;
    answer_array_take(rows, one->at - size, &one->head, size);
    return one->head.n <= left - size && one->head.time >= least;
}

/* The key of the run's next row; p NULL: it has none before r->end. */
static struct slice run_key(struct answer_runs *r, struct answer_run *one,
                            struct answer_array *rows, int64_t least)
{
    const struct slice none = {NULL, 0};
    if (one->at == one->begin)
        return none;
    if (!run_read(one, rows, least)) {
        r->damaged = true;
        return none;
    }
    if (one->head.time >= r->end)
        return none;
    const uint64_t time = htobe64((uint64_t)one->head.time ^ (uint64_t)1 << 63);
    const uint32_t series = htobe32(one->head.series);
    memcpy(one->key, &time, sizeof(time));
    memcpy(one->key + sizeof(time), &series, sizeof(series));
    return (struct slice){one->key, sizeof(one->key)};
}

int answer_runs_begin(struct answer_runs *r, struct answer_array *rows, int64_t end)
{
    keyheap_free(&r->heap);
    if (keyheap_init(&r->heap, r->n) < 0)
        return -ENOMEM;
    r->end = end;
    r->damaged = false;
    for (size_t i = 0; i < r->n; i++) {
        r->list[i].at = r->list[i].end;
        const struct slice key = run_key(r, &r->list[i], rows, INT64_MIN);
        if (key.p)
            keyheap_add(&r->heap, key, i);
    }
    return 0;
}

int answer_runs_next(struct answer_runs *r, struct answer_array *rows, struct answer_record *head,
                     struct buffer *to)
{
    if (r->damaged || r->heap.n == 0)
        return r->damaged ? -EIO : 0;
    struct answer_run *one = &r->list[r->heap.items[0].number];
    *head = one->head;
    char *p = buffer_reserve(to, head->n);
    if (!p)
        return -ENOMEM;
    one->at -= sizeof(one->head) + head->n;
    answer_array_take(rows, one->at, p, head->n);
    to->n += head->n;
    keyheap_move(&r->heap, run_key(r, one, rows, head->time));
    return 1;
}
