/* SPDX-License-Identifier: MIT */
/* Points as line protocol, for influxd's /write. */
#include "store/export/dump_internal.h"
#include "store/export/sayable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* How many omitted series of a measurement are named. */
#define NAMED 20

/* With a backslash before each of the characters. */
static void lines_escaped(struct buffer *o, struct slice s, const char *which)
{
    size_t start = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr(which, s.p[i]))
            continue;
        buffer_add(o, s.p + start, i - start);
        buffer_add(o, "\\", 1);
        start = i;
    }
    buffer_add(o, s.p + start, s.n - start);
}

void dump_lines_name(struct buffer *o, struct slice name)
{
    lines_escaped(o, name, ",\" =");
    buffer_add(o, "=", 1);
}

/* As in JSON, with a letter after integers. */
static void lines_value(struct buffer *o, const struct points_cell *c)
{
    if (c->type == VALUE_STRING) {
        buffer_add(o, "\"", 1);
        lines_escaped(o, points_text(c), "\"\\");
        buffer_add(o, "\"", 1);
        return;
    }
    dump_json_cell(o, c);
    if (c->type == VALUE_INTEGER || c->type == VALUE_UNSIGNED)
        buffer_add(o, c->type == VALUE_INTEGER ? "i" : "u", 1);
}

int dump_lines_begin(struct dump *d)
{
    const size_t n = points_columns(d->points);
    struct lines *l = &d->lines;
    l->fields = calloc(n + 1, sizeof(*l->fields));
    l->columns = calloc(n + 1, sizeof(*l->columns));
    if (!l->fields || !l->columns)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (points_column(d->points, i)->is_tag)
            continue;
        l->fields[i].why = sayable_field(points_column(d->points, i)->name);
        l->columns[l->ncolumns++] = i;
    }
    return 0;
}

void dump_lines_end(struct dump *d)
{
    free(d->lines.fields);
    free(d->lines.columns);
    buffer_free(&d->lines.key);
}

static bool lines_may_leave(const struct dump *d)
{
    return d->query.gaps && d->query.gaps->names;
}

/* Reports an omission in the measurement; what: "the series", "the field". */
static void lines_say_left(const struct dump *d, const char *what, struct slice name, uint64_t n,
                           const char *of, const char *why)
{
    char measurement[GAPS_NAME], shown[GAPS_NAME];
    gaps_name(d->measurement, measurement);
    gaps_name(name, shown);
    gaps_say(d->query.gaps, "%s/%s/%s: left out: %s%s, %" PRIu64 " %s: %s", d->query.db,
             d->query.rp, measurement, what, shown, n, of, why);
}

static int lines_refuse(const struct dump *d, const char *what, struct slice name, const char *why,
                        struct err *e)
{
    char measurement[GAPS_NAME], shown[GAPS_NAME];
    gaps_name(d->measurement, measurement);
    gaps_name(name, shown);
    return err_set(e, -EILSEQ, "%s/%s/%s: cannot be line protocol: %s%s: %s", d->query.db,
                   d->query.rp, measurement, what, shown, why);
}

/* Reports the omitted points of the current series, unless its measurement is left out. */
static void lines_end_series(struct dump *d)
{
    struct lines *l = &d->lines;
    if (!l->why || l->whole || !l->left)
        return;
    if (l->series < NAMED)
        lines_say_left(d, "the series ", (struct slice){l->key.p, l->key.n}, l->left, "points",
                       l->why);
    else
        l->more += l->left;
    l->series++;
    l->left = 0;
}

static int lines_begin_series(struct dump *d, struct slice key, struct err *e)
{
    struct lines *l = &d->lines;
    lines_end_series(d);
    l->why = sayable_series(key);
    if (!l->why)
        return 0;
    l->whole = sayable_measurement(key) != NULL;
    if (!lines_may_leave(d))
        return lines_refuse(d, "the series ", key, l->why, e);
    l->key.n = 0;
    buffer_add(&l->key, key.p, key.n);
    return l->key.failed ? err_sys(e, -ENOMEM, "a dump") : 0;
}

/* Counts a value of a field that cannot be written. */
static int lines_leave_field(struct dump *d, size_t i, struct err *e)
{
    struct lines_field *f = &d->lines.fields[i];
    if (!lines_may_leave(d))
        return lines_refuse(d, "the field ", points_column(d->points, i)->name, f->why, e);
    f->left++;
    return 0;
}

/* The key of a series is written as it is stored: line protocol has the same escapes. */
int dump_lines_row(struct dump *d, const struct points_row *row, struct err *e)
{
    struct buffer *o = &d->text;
    const size_t begin = o->n;
    char separator = ' ';
    int r = row->begins ? lines_begin_series(d, row->series, e) : 0;
    if (d->lines.why) {
        d->lines.left++;
        return r;
    }
    buffer_add(o, row->series.p, row->series.n);
    for (size_t k = 0; r == 0 && k < d->lines.ncolumns; k++) {
        const size_t i = d->lines.columns[k];
        if (!row->cells[i].present)
            continue;
        if (d->lines.fields[i].why) {
            r = lines_leave_field(d, i, e);
            continue;
        }
        buffer_add(o, &separator, 1);
        separator = ',';
        buffer_add(o, d->names[i].p, d->names[i].n);
        lines_value(o, &row->cells[i]);
    }
    if (separator == ' ') { /* none of its fields could be written */
        o->n = begin;
        return r;
    }
    buffer_add(o, " ", 1);
    gotext_integer(o, row->time);
    buffer_add(o, "\n", 1);
    return r;
}

void dump_lines_tail(struct dump *d)
{
    struct lines *l = &d->lines;
    const struct slice none = {"", 0};
    if (l->why && l->whole)
        lines_say_left(d, "the measurement", none, l->left, "points", l->why);
    lines_end_series(d);
    if (l->more)
        lines_say_left(d, "further series", none, l->more, "points", "as those before");
    for (size_t i = 0; i < points_columns(d->points); i++)
        if (l->fields[i].left)
            lines_say_left(d, "the field ", points_column(d->points, i)->name, l->fields[i].left,
                           "values", l->fields[i].why);
}
