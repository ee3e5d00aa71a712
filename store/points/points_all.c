/* SPDX-License-Identifier: MIT */
/* Rows by series, then by time. */
#include "store/points/points_internal.h"
#include "store/points/series.h"

#include <errno.h>
#include <stdlib.h>

/* The measurement in one shard of the range. */
struct part {
    struct measurement *measurement;
    size_t nseries;
    struct series *series;
};

struct points_all {
    size_t nparts;
    struct part *parts;       /* one for each shard */
    size_t nall, first, last; /* all series, and the current ones */
    struct series **all;
    struct series *row; /* the last row given */
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the points of a measurement");
}

static int by_key(const void *va, const void *vb)
{
    const struct series *a = *(struct series *const *)va, *b = *(struct series *const *)vb;
    return slice_compare(a->key, b->key);
}

static int all_part_open(const struct points *p, size_t number, struct err *e)
{
    struct part *t = &p->all->parts[number];
    int r = points_measurement(p, number, &t->measurement, e);
    if (r < 0)
        return r;
    size_t n = measurement_count(t->measurement);
    t->series = calloc(n + 1, sizeof(*t->series));
    if (!t->series)
        return no_memory(e);
    for (size_t i = 0; i < n; t->nseries++)
        if (series_init(&t->series[t->nseries], t->measurement, &i, &p->columns, false) < 0)
            return no_memory(e);
    return 0;
}

/* Begins the next series, in all parts that have it. */
static int all_next_series(struct points_all *a, struct err *e)
{
    for (size_t i = a->first; i < a->last; i++)
        series_clear(a->all[i]);
    a->first = a->last;
    while (a->last < a->nall && by_key(&a->all[a->first], &a->all[a->last]) == 0) {
        int r = series_first(a->all[a->last++], e);
        if (r < 0)
            return r;
    }
    return 0;
}

int points_all_next(struct points *p, struct points_row *row, struct err *e)
{
    struct points_all *a = p->all;
    int r = a->row ? series_next(a->row, e) : 0;
    a->row = NULL;
    while (r == 0) {
        for (size_t i = a->first; i < a->last; i++)
            if (!a->all[i]->done && (!a->row || a->all[i]->time < a->row->time))
                a->row = a->all[i];
        if (a->row || a->last == a->nall)
            break;
        r = all_next_series(a, e);
    }
    if (r < 0 || !a->row)
        return r;
    *row = (struct points_row){a->row->time, a->row->key, a->row->cells};
    return 1;
}

/* Every series of every part; those with the same key are together. */
int points_all_open(struct points *p, struct err *e)
{
    struct points_all *a = p->all = calloc(1, sizeof(*a));
    size_t n = 0;
    if (!a || !(a->parts = calloc(p->nshards + 1, sizeof(*a->parts))))
        return no_memory(e);
    a->nparts = p->nshards;
    for (size_t i = 0; i < a->nparts; i++) {
        int r = all_part_open(p, i, e);
        if (r < 0)
            return r;
        n += a->parts[i].nseries;
    }
    a->all = calloc(n + 1, sizeof(struct series *));
    if (!a->all)
        return no_memory(e);
    for (size_t i = 0; i < a->nparts; i++)
        for (size_t k = 0; k < a->parts[i].nseries; k++)
            a->all[a->nall++] = &a->parts[i].series[k];
    qsort(a->all, a->nall, sizeof(struct series *), by_key);
    return 0;
}

void points_all_free(struct points_all *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->nparts; i++) {
        for (size_t k = 0; k < a->parts[i].nseries; k++)
            series_clear(&a->parts[i].series[k]);
        free(a->parts[i].series);
        measurement_free(a->parts[i].measurement);
    }
    free(a->parts);
    free(a->all);
    free(a);
}
