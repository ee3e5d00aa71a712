/* SPDX-License-Identifier: MIT */
/* Points as line protocol, which influxd takes at /write. */
#include "store/export/dump_internal.h"

#include <string.h>

/* With a backslash before each of the characters. */
static int escaped(struct gotext_out *o, struct slice s, const char *which)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s.n; i++) {
        if (s.p[i] && strchr(which, s.p[i]))
            r = gotext_add(o, "\\", 1);
        if (r == 0)
            r = gotext_add(o, &s.p[i], 1);
    }
    return r;
}

static int string(struct gotext_out *o, const struct points_cell *c)
{
    int r = gotext_text(o, "\"");
    if (r == 0)
        r = escaped(o, (struct slice){c->text + c->value.s.off, c->value.s.len}, "\"\\");
    return r < 0 ? r : gotext_text(o, "\"");
}

static int value(struct gotext_out *o, const struct points_cell *c)
{
    int r;
    switch (c->type) {
    case VALUE_FLOAT:
        return gotext_float_json(o, c->value.f);
    case VALUE_INTEGER:
        r = gotext_integer(o, c->value.i);
        return r < 0 ? r : gotext_text(o, "i");
    case VALUE_UNSIGNED:
        r = gotext_unsigned(o, c->value.u);
        return r < 0 ? r : gotext_text(o, "u");
    case VALUE_BOOLEAN:
        return gotext_text(o, c->value.b ? "true" : "false");
    default:
        return string(o, c);
    }
}

/* The key of a series is written as it is stored: line protocol has the same escapes. */
static int line(struct points *p, const struct points_row *row, struct gotext_out *o)
{
    const char *separator = " ";
    int r = gotext_add(o, row->series.p, row->series.n);
    for (size_t i = 0; r == 0 && i < points_columns(p); i++) {
        const struct points_column *column = points_column(p, i);
        if (column->is_tag || !row->cells[i].present)
            continue;
        r = gotext_text(o, separator);
        separator = ",";
        if (r == 0)
            r = escaped(o, column->name, ",\" =");
        if (r == 0)
            r = gotext_text(o, "=");
        if (r == 0)
            r = value(o, &row->cells[i]);
    }
    if (r == 0)
        r = gotext_text(o, " ");
    if (r == 0)
        r = gotext_integer(o, row->time);
    return r < 0 ? r : gotext_text(o, "\n");
}

int dump_lines(struct points *p, struct gotext_out *o)
{
    struct points_row row;
    int r;
    while ((r = points_next(p, &row, o->e)) == 1) {
        r = line(p, &row, o);
        if (r < 0)
            return r;
    }
    return r;
}
