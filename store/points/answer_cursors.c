/* SPDX-License-Identifier: MIT */
/* The cursors of all series side by side. */
#include "store/points/answer_source.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

struct cursors {
    struct answer_source source; /* first */
    const struct points *p;
    size_t shard;
    struct measurement *measurement;
    struct series *series;
};

static struct cursors *of(struct answer_source *s)
{
    return (struct cursors *)s;
}

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

static void cursors_free(struct answer_source *s)
{
    struct cursors *c = of(s);
    for (uint32_t i = 0; i < s->n; i++)
        series_clear(&c->series[i]);
    free(c->series);
    measurement_free(c->measurement);
    free(c);
}

static int64_t cursors_time(const struct cursors *c, uint32_t i)
{
    return c->series[i].done ? ANSWER_ENDED : c->series[i].time;
}

static int cursors_make(struct cursors *c, struct err *e)
{
    size_t n = measurement_count(c->measurement);
    c->series = calloc(n + 1, sizeof(*c->series));
    if (!c->series)
        return no_memory(e);
    for (size_t i = 0; i < n; c->source.n++)
        if (series_init(&c->series[c->source.n], c->measurement, &i, &c->p->columns, true) < 0)
            return no_memory(e);
    return 0;
}

static int cursors_load(struct answer_source *s, int64_t from, struct answer_array *first,
                        struct err *e)
{
    struct cursors *c = of(s);
    int r = points_measurement(c->p, c->shard, from, &c->measurement, e);
    if (r == 0)
        r = cursors_make(c, e);
    for (uint32_t i = 0; r == 0 && i < s->n; i++) {
        r = series_first(&c->series[i], e);
        const struct goheap_item item = {.time = cursors_time(c, i), .series = i};
        if (item.time != ANSWER_ENDED)
            answer_array_add(first, &item);
    }
    s->until = ANSWER_ENDED;
    return r;
}

static int cursors_take(struct answer_source *s, uint32_t i, const struct points_cell **cells,
                        struct err *e)
{
    (void)e;
    *cells = of(s)->series[i].cells;
    return 0;
}

static int cursors_next(struct answer_source *s, uint32_t i, int64_t *time, struct err *e)
{
    int r = series_next(&of(s)->series[i], e);
    *time = cursors_time(of(s), i);
    return r;
}

static bool cursors_less(void *s, const struct goheap_item *a, const struct goheap_item *b)
{
    const struct series *list = of(s)->series;
    return series_cells_less(list[a->series].cells, list[b->series].cells, list[a->series].ncells);
}

static const struct answer_source_ops cursors_ops = {
    .load = cursors_load,
    .take = cursors_take,
    .next = cursors_next,
    .less = cursors_less,
    .free = cursors_free,
};

int answer_cursors_open(const struct points *p, size_t i, struct answer_source **out, struct err *e)
{
    struct cursors *c = calloc(1, sizeof(*c));
    if (!c)
        return no_memory(e);
    c->source.ops = &cursors_ops;
    c->p = p;
    c->shard = i;
    *out = &c->source;
    return 0;
}
