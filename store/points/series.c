/* SPDX-License-Identifier: MIT */
#include "store/points/series.h"

#include "store/base/array.h"

#include <errno.h>
#include <stdlib.h>

/* Sets the text of tags with columns; an empty tag counts as missing. */
static void series_set_tags(struct series *s)
{
    struct slice rest, name, value;
    char *text = s->tags;
    serieskey_measurement(s->key, &rest);
    while (serieskey_tag(&rest, &name, &value)) {
        size_t n = serieskey_unescape(name, text);
        size_t column = columns_find(s->columns, (struct slice){text, n}, true);
        n = serieskey_unescape(value, text);
        if (column == s->columns->n || n == 0)
            continue;
        s->cells[column] = (struct points_cell){
            .present = true, .type = VALUE_STRING, .value.s = {0, (uint32_t)n}, .text = text};
        text += n;
    }
}

static size_t series_count_fields(struct measurement *m, size_t i)
{
    struct slice key = measurement_at(m, i)->series;
    size_t n = 1;
    while (i + n < measurement_count(m) &&
           slice_compare(measurement_at(m, i + n)->series, key) == 0)
        n++;
    return n;
}

/* Leaves out a field without a column, or, if it is to be converted, of a type that does not fit. */
static void series_add_field(struct series *s, struct slice name, struct cursor *c, bool convert)
{
    const struct columns *columns = s->columns;
    size_t column = columns_find(columns, name, false);
    if (column == columns->n || (convert && !columns_fits(columns->list[column].type, c->type)))
        return;
    s->fields[s->nfields++] = (struct series_field){c, column};
    s->cells[column].type = convert ? columns->list[column].type : c->type;
}

int series_init(struct series *s, struct measurement *m, size_t *i, const struct columns *c,
                bool convert)
{
    size_t n = series_count_fields(m, *i);
    *s = (struct series){.key = measurement_at(m, *i)->series, .columns = c, .ncells = c->n};
    s->fields = calloc(n, sizeof(*s->fields));
    s->cells = calloc(c->n + 1, sizeof(*s->cells));
    s->tags = malloc(s->key.n + 1);
    if (!s->fields || !s->cells || !s->tags) {
        series_clear(s);
        return -ENOMEM;
    }
    for (size_t k = 0; k < n; k++) {
        struct measurement_field *f = measurement_at(m, *i + k);
        series_add_field(s, f->name, &f->cursor, convert);
    }
    series_set_tags(s);
    *i += n;
    return 0;
}

static bool series_make_room(struct series *s, size_t nfields, size_t ncells, size_t ntags)
{
    return array_room(&s->fields, &s->fields_room, nfields) &&
           array_room(&s->cells, &s->cells_room, ncells) &&
           array_room(&s->tags, &s->tags_room, ntags);
}

int series_set(struct series *s, const struct stream_series *from, const struct columns *c,
               bool convert)
{
    if (!series_make_room(s, from->nfields, c->n + 1, from->key.n + 1))
        return -ENOMEM;
    memset(s->cells, 0, c->n * sizeof(*s->cells));
    s->key = from->key;
    s->columns = c;
    s->ncells = c->n;
    s->nfields = 0;
    s->done = false;
    for (size_t i = 0; i < from->nfields; i++)
        series_add_field(s, from->fields[i].name, &from->fields[i].cursor, convert);
    series_set_tags(s);
    return 0;
}

int64_t series_bound(const struct series *s)
{
    int64_t bound = INT64_MAX;
    for (size_t i = 0; i < s->nfields; i++) {
        const int64_t one = cursor_bound(s->fields[i].cursor);
        bound = one < bound ? one : bound;
    }
    return bound;
}

void series_free(struct series *s)
{
    free(s->fields);
    free(s->cells);
    free(s->tags);
    *s = (struct series){.done = true};
}

static void set_cell(struct points_cell *cell, const struct cursor *c)
{
    cell->value = c->value;
    cell->text = c->text;
    if (cell->type == VALUE_FLOAT && c->type == VALUE_INTEGER)
        cell->value.f = (double)c->value.i;
    else if (cell->type == VALUE_FLOAT && c->type == VALUE_UNSIGNED)
        cell->value.f = (double)c->value.u;
    /* An unsigned value in a column of integers keeps its bits. */
}

/* The row at the earliest time of any cursor. */
static void series_settle(struct series *s)
{
    s->done = true;
    for (size_t i = 0; i < s->nfields; i++) {
        const struct cursor *c = s->fields[i].cursor;
        if (!c->done && (s->done || c->time < s->time)) {
            s->time = c->time;
            s->done = false;
        }
    }
    for (size_t i = 0; !s->done && i < s->nfields; i++) {
        const struct cursor *c = s->fields[i].cursor;
        struct points_cell *cell = &s->cells[s->fields[i].column];
        cell->present = !c->done && c->time == s->time;
        if (cell->present)
            set_cell(cell, c);
    }
}

int series_first(struct series *s, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->nfields; i++)
        r = cursor_first(s->fields[i].cursor, e);
    if (r == 0)
        series_settle(s);
    return r;
}

int series_next(struct series *s, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->nfields; i++) {
        struct cursor *c = s->fields[i].cursor;
        if (!c->done && c->time == s->time)
            r = cursor_next(c, e);
    }
    if (r == 0)
        series_settle(s);
    return r;
}

static bool is_string(const struct points_cell *c)
{
    return c->present && c->type == VALUE_STRING;
}

bool series_cells_less(const struct points_cell *a, const struct points_cell *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_string(&a[i]) || !is_string(&b[i]))
            return false;
        int c = slice_compare(points_text(&a[i]), points_text(&b[i]));
        if (c)
            return c < 0;
    }
    return false;
}

void series_clear(struct series *s)
{
    for (size_t i = 0; i < s->nfields; i++)
        cursor_clear(s->fields[i].cursor);
    free(s->fields);
    free(s->cells);
    free(s->tags);
    *s = (struct series){.done = true};
}
